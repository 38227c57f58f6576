"""Encoders of media files: they make a file of what the training process has staged, in a process of the shipper.

A request names an encoder by ``kind``; its other fields are the arguments of the encoder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Modules of the encoders; each has a function ``encode(arguments, source, target)``. Imported at first use.
_MODULES = {"image": "images", "mask": "images", "video": "videos", "audio": "sounds"}


class EncodeError(ValueError):
    """A media file cannot be encoded, and why."""


def encode(arguments: Mapping[str, Any], source: Path, target: Path) -> None:
    """Make the file ``target`` of the staged file ``source``; raises EncodeError."""
    kind = arguments.get("kind", "")
    try:
        import_module(f"{__name__}.{_MODULES[kind]}").encode(arguments, source, target)
    except KeyError as error:
        raise EncodeError(f"Invalid request to encode: {error} is missing or unknown") from error
    except MemoryError as error:
        raise EncodeError(f"Cannot encode this {kind}: it needs too much memory") from error
    except Exception as error:  # of any library
        raise EncodeError(f"Cannot encode this {kind}: {type(error).__name__}: {error}") from error
