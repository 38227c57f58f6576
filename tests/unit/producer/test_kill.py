"""After SIGKILL at any moment, the rows of all calls of log() that returned are in the spool."""

from __future__ import annotations

import copy
import mmap
import os
import random
import signal
from typing import TYPE_CHECKING, Any

from runstream.spool.reader import SpoolReader
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from tests.polling import eventually
from tests.unit.producer.row_model import RowModel, assembled
from tests.unit.producer.spooled import rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    #: The arguments of one call of log().
    Call = tuple[dict[str, Any], int | None, bool | None]

ROUNDS = 150
SMALL = 4096


def test_no_returned_row_is_lost(tmp_path: Path) -> None:
    """A process that is killed while it logs leaves the row of every call that returned, and at most one more."""
    draw = random.Random(1)
    reached = mmap.mmap(-1, 4096)
    total = 0
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        _kill(_logging(folder, reached, whole), reached, 1 + draw.randrange(1000))
        returned = int.from_bytes(reached[:8], "little")
        found = rows(folder)

        assert len(found) - returned in {0, 1}
        assert [*range(len(found))] == [row.values["value"] for row in found]
        assert [*range(len(found))] == [row.seq for row in found]
        total += returned
    assert total > ROUNDS


def test_late_and_open_rows_survive(tmp_path: Path) -> None:
    """A process that is killed while rows are open and others are late leaves the result of the calls that returned."""
    draw = random.Random(2)
    reached = mmap.mmap(-1, 4096)
    seen = 0
    for number in range(ROUNDS // 3):
        folder = tmp_path / str(number)
        folder.mkdir()
        _kill(_logging(folder, reached, mixed), reached, 1 + draw.randrange(500))
        returned = int.from_bytes(reached[:8], "little")
        model = RowModel()
        for call in range(returned):
            model.log(*mixed(call))
        with_another = copy.deepcopy(model)
        with_another.log(*mixed(returned))

        assert assembled(folder) in (model.rows, with_another.rows)
        seen += returned
    assert seen > ROUNDS


def test_an_incomplete_record_is_cut_off(tmp_path: Path) -> None:
    """A record whose bytes are incomplete is ignored, and those before it are read."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16)))
    for value in range(3):
        history.log({"value": value})
    (segment,) = tmp_path.iterdir()
    data = bytearray(segment.read_bytes())
    start = data.rindex(b"value")
    data[start:] = bytes(len(data) - start)
    segment.write_bytes(data)

    reader = SpoolReader(tmp_path)
    assert [record.seq for record in reader.read(ended=True)] == [0, 1]
    assert reader.read(ended=True) == []


def whole(call: int) -> Call:
    """Return the arguments of a call that logs a whole row."""
    return {"value": call, "text": "x" * (call * 31 % 200)}, None, True


def mixed(call: int) -> Call:
    """Return the arguments of a call that opens a row, joins it, is late, or closes it, depending on its number."""
    row, part = divmod(call, 5)
    step = [10 * row, row, 10 * row, -1, None][part]
    return {"call": call, f"part{part}": {"x" * (call * 31 % 100): call}}, step, None


def _logging(folder: Path, reached: mmap.mmap, call: Callable[[int], Call]) -> int:
    """Fork a process that logs until it is killed and counts the calls of log() that returned; return its pid."""
    reached[:8] = bytes(8)
    pid = os.fork()
    if pid:
        return pid
    try:
        history = RowLog(SpoolWriter(folder, bytes(16), smallest=SMALL, largest=4 * SMALL))
        value = 0
        while True:
            history.log(*call(value))
            value += 1
            reached[:8] = value.to_bytes(8, "little")
    finally:
        os._exit(1)


def _kill(pid: int, reached: mmap.mmap, calls: int) -> None:
    """Kill a process once the given number of calls of log() has returned."""
    eventually(lambda: int.from_bytes(reached[:8], "little") >= calls, every=0.0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
