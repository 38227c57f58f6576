"""How far the event files were when each row was made: a line a row, written before the row.

A row is in the spool or it is not; so the number of rows there says how many lines of the journal hold, and the last
line of each file among them says where its reading goes on. Thus no event is left out and none comes twice, whenever
the reader is killed.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.tensorboard.rows import Place


class Journal:
    """The journal of a run folder.

    Args:
        path: Its file.
        rows: Rows that are in spools or delivered; what the journal has beyond them is cut off.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lines = path.read_bytes().splitlines(keepends=True)[:rows]
        os.ftruncate(self._descriptor, sum(len(line) for line in lines))
        os.lseek(self._descriptor, 0, os.SEEK_END)
        #: By file, how many of its events are in rows.
        self.taken: dict[str, int] = dict(json.loads(line) for line in lines)

    def add(self, place: Place) -> None:
        """Note how far a row reaches that is about to be appended.

        Raises:
            OSError: The disk is full.
        """
        os.write(self._descriptor, json.dumps([place.file, place.number]).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
