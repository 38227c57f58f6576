"""How far the event files were read when each row was made: one line for each row, written before the row.

A row is either in the spool or not. The number of rows in the spool is the number of valid lines of the journal,
and the last valid line of a file is where reading resumes. No event is lost or read twice, no matter when the
reader is killed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from runstream.tensorboard.rows import FilePosition


class Journal:
    """The journal of a run folder; lines after the number of rows that are in spools or delivered are removed."""

    def __init__(self, path: Path, rows: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lines = path.read_bytes().splitlines(keepends=True)[:rows]
        os.ftruncate(self._descriptor, sum(len(line) for line in lines))
        os.lseek(self._descriptor, 0, os.SEEK_END)
        #: How many events are in rows, by file.
        self.positions: dict[str, int] = dict(json.loads(line) for line in lines)

    def add(self, position: FilePosition) -> None:
        """Record how far a file is read when the next row is appended."""
        os.write(self._descriptor, json.dumps([position.file, position.number]).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
