"""What the training process tells the reader: folders in which event files are written, one a line of a file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: In the run folder.
REQUESTS_NAME = "tensorboard.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A folder that is to be read."""

    folder: str
    #: Names begin with the way from here to a file's folder; empty: from the first folder of the run.
    root: str = ""
    #: The process that writes, which tells of each folder; 0: whichever.
    pid: int = 0

    @property
    def searched(self) -> bool:
        """Whether event files are to be looked for in the folders below, too."""
        return not self.pid


def add_request(run_folder: Path, request: Request) -> None:
    """Tell the reader of a folder.

    Raises:
        OSError: The request cannot be written.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(run_folder / REQUESTS_NAME, flags, 0o600)
    try:
        os.write(descriptor, json.dumps(asdict(request)).encode() + b"\n")
    finally:
        os.close(descriptor)


def requests_of(run_folder: Path) -> list[Request]:
    """Return the folders that were asked for so far; a line that is no request is passed over."""
    try:
        lines = (run_folder / REQUESTS_NAME).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            data = json.loads(line)
            found.append(Request(folder=str(data["folder"]), root=str(data["root"]), pid=int(data["pid"])))
        except (ValueError, TypeError, LookupError):
            continue
    return found
