"""Requests of the training process to the reader: folders in which event files are written, one per line of a file."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from runstream.run_folder.folder import EVENT_FILES_NAME

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A folder to read."""

    folder: str
    #: Names of values begin with the path from this folder; empty for the first folder of the run.
    root: str = ""
    #: The process that writes there; 0 for any process, also in folders below this one.
    pid: int = 0
    #: Whether the event files become files of the run.
    save: bool = True


def add_request(run_folder: Path, request: Request) -> None:
    """Add a request to the file."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(run_folder / EVENT_FILES_NAME, flags, 0o600)
    try:
        os.write(descriptor, json.dumps(asdict(request)).encode() + b"\n")
    finally:
        os.close(descriptor)


def read_requests(run_folder: Path) -> list[Request]:
    """Return the requests made so far. Invalid lines are skipped."""
    try:
        lines = (run_folder / EVENT_FILES_NAME).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, LookupError):
            data = json.loads(line)
            save = bool(data.get("save", True))
            found.append(Request(folder=str(data["folder"]), root=str(data["root"]), pid=int(data["pid"]), save=save))
    return found
