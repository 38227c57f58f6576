"""The base classes of media, and where they keep their files: what a row, a table cell or an artifact holds of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from runstream.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runstream.media.content import MediaFile


class MediaPlace(Protocol):
    """Where a media value keeps its files: in a run, or in an artifact."""

    #: Whether this is an artifact: what is shared by several values is then a file of its own.
    in_artifact: bool

    @property
    def owner(self) -> object:
        """What identifies the run, for values that write their file once; None without a recorded run."""

    def add(self, file: MediaFile, name: str = "") -> str:
        """Keep a file; return its path in the run or artifact, which is ``name`` if that is given. Raises OSError."""

    def when_kept(self, then: Callable[[], object]) -> None:
        """Call a function once the files are files of the run; never, if the call is refused."""


class WBValue:
    """A value with a form of its own in rows, tables and artifacts."""

    #: ``_type`` of the recorded dict.
    _log_type: ClassVar[str] = ""

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for this value; its files are added to a place. Raises OSError."""
        raise NotImplementedError


class ChartValue(WBValue):
    """A chart: recorded as its table, under a key of its own, and as a definition that is an attribute of the run."""

    def parts(self, key: str) -> tuple[str, WBValue, Mapping[str, Any]]:
        """Return the key of the table, the table, and the definition of the chart that is logged under a key."""
        raise NotImplementedError

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - it is refused
        """Raise DataError: only a key of a row can be a chart."""
        raise DataError(f"Cannot record a {type(self).__name__} here: log it under a key of its own")


class Media(WBValue):
    """A value that consists of a file, and of what is known of it without reading it."""

    def __init__(self, file: MediaFile, caption: str | None = None) -> None:
        self._file = file
        self._caption = caption

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for this value; its files are added to a place. Raises OSError."""
        found = {"_type": self._log_type, "path": place.add(self._file), **self._facts()}
        return found if self._caption is None else {**found, "caption": self._caption}

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the value that a dict in an artifact describes; its file is downloaded."""
        constructor: Any = cls
        found: Self = constructor(downloaded(description, artifact), caption=description.get("caption"))
        return found

    def _facts(self) -> dict[str, Any]:
        """Return what the recorded dict holds besides path and caption."""
        return {}


class BatchableMedia(Media):
    """Media of which a list is recorded as one value."""

    #: Items of a list that are recorded; the rest are left out with a warning.
    MAX_ITEMS: ClassVar[int | None] = None

    @classmethod
    def record_list(cls, items: Sequence[Any], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of values of this class; raises OSError."""
        raise NotImplementedError


def downloaded(description: dict[str, Any], artifact: Any) -> Path:
    """Return the local path of the file that a dict in an artifact names."""
    return Path(artifact.get_entry(description["path"]).download())


def captions_of(items: Sequence[Media]) -> list[str | None]:
    """Return the captions of a list of values; an empty list if none has one."""
    captions = [item._caption for item in items]  # noqa: SLF001 - of this module
    return captions if any(caption is not None for caption in captions) else []
