"""Placeholders for files, media, tables and artifacts, which are not supported yet.

They accept any argument and any call, hold nothing, and are left out wherever they are logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from runstream.exceptions import UnsupportedError
from runstream.media.base import WBValue

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnsupportedMedia(WBValue):
    """A class of W&B that is not supported yet. Every method accepts everything, and returns something like it."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        del arguments
        self.name = keywords.get("name")

    def __getattr__(self, name: str) -> Any:
        """Return a value that can be called, iterated and entered; not for names that make it look like an array."""
        if name.startswith("_") or name in _NAMES_OF_OTHER_TYPES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return Nothing()

    def wait(self, *_arguments: Any, **_keywords: Any) -> Self:
        """Return this object: there is nothing to wait for."""
        return self


#: Attributes by which libraries recognize arrays, tensors, mappings and dataclasses.
_NAMES_OF_OTHER_TYPES = frozenset({"item", "items", "keys", "numpy", "shape", "tolist", "model_fields_set", "detach"})


class Nothing(UnsupportedMedia):
    """What an attribute or a method of a placeholder returns: empty, false, and callable."""

    def __call__(self, *_arguments: Any, **_keywords: Any) -> Any:
        """Return this object."""
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __getitem__(self, key: Any) -> Any:
        return self

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def __str__(self) -> str:
        return ""


def raise_unsupported(name: str) -> NoReturn:
    """Raise :class:`UnsupportedError` for a name of W&B that is not supported yet."""
    raise UnsupportedError(f"{name} is not supported yet, like all of files and artifacts; nothing was recorded")


def _placeholder(name: str, doc: str) -> type[UnsupportedMedia]:
    return type(name, (UnsupportedMedia,), {"__doc__": doc, "__module__": __name__})


Trace = _placeholder("Trace", "A trace of calls of models.")
WBTraceTree = _placeholder("WBTraceTree", "A tree of traces.")
