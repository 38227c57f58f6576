"""Values that are too large for a message: kept as files of the run, and replaced with references to these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.files.value_file import ValueFile
from runstream.tracking.values.texts import truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runstream.files.run_files import RunFiles

_CONTAINERS = frozenset({dict, list, str})


class ValueFiles:
    """Keeps values of one row, or of one change of config or summary, as files.

    ``files`` is None without a recorded run: nothing can be kept then. ``place`` is the step of the row, or what the
    change is of; ``warn`` prints a warning, once for what it is about, its second argument.
    """

    def __init__(self, files: RunFiles | None, place: int | str, warn: Callable[[str, str], None]) -> None:
        self._files = files
        self._place = place
        self._warn = warn

    def keep(self, path: Sequence[str], value: Any) -> dict[str, Any] | None:
        """Return the reference to a new file with a value, text or JSON; None if it cannot be kept.

        Raises UsageError after the end of the run.
        """
        if self._files is None:
            return None
        file, shown = ValueFile.of(path, value, self._place), ".".join(path)
        try:
            staged = self._files.staging.write(file.data)
        except OSError as error:
            self._warn(f"{shown!r} cannot be kept as a file of the run: {error.strerror}", f"full {shown}")
            return None
        self._files.add(file.name, staged, media_type=file.media_type)
        self._warn(
            f"{shown!r} is recorded as a file of the run ({len(file.data):,} bytes): a message has no room",
            f"file {shown}",
        )
        return file.reference

    def without_long_texts(self, path: Sequence[str], value: Any, longest: int) -> Any:
        """Return a value with references for the texts of more characters; the same value if there are none.

        A text that cannot be kept is shortened.
        """
        if isinstance(value, str):
            if len(value) <= longest:
                return value
            if (reference := self.keep(path, value)) is not None:
                return reference
            name = ".".join(path)
            self._warn(f"{name!r} is shortened from {len(value)} to {longest} characters", f"long {name}")
            return truncated(value)
        if type(value) is dict:
            items: Any = value.items()
        elif type(value) is list and not _CONTAINERS.isdisjoint(map(type, value)):
            items = enumerate(value)
        else:
            return value
        changed = {
            key: found
            for key, item in items
            if (found := self.without_long_texts([*path, str(key)], item, longest)) is not item
        }
        if not changed or type(value) is dict:
            return {**value, **changed} if changed else value
        return [changed.get(index, item) for index, item in enumerate(value)]
