"""A row log for the tests of the client; ends the processes that would deliver the runs of a test for a day."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def history(tmp_path: Path) -> RowLog:
    """Return a row log in an empty folder."""
    return RowLog(SpoolWriter(tmp_path, bytes(16)))


@pytest.fixture(autouse=True)
def end_delivery(tmp_path: Path) -> Iterator[None]:
    """Kill the guardians and then the shippers of all runs below the test's folder."""
    yield
    if any(tmp_path.rglob("guardian.log")):
        for name in ("guardian", "shipper"):
            eventually(lambda name=name: _end(tmp_path, name) == 0)  # type: ignore[misc]


def _end(folder: Path, name: str) -> int:
    """Kill the processes with a name that use a folder; return how many there were."""
    found = 0
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if name.encode() in command.replace(os.fsencode(folder), b"") and os.fsencode(folder) in command:
                os.kill(int(process.name), signal.SIGKILL)
                found += 1
    return found
