"""Threads and nested signal handlers that log, for a while: every row whose ``log()`` returned arrives exactly once."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from tests.unit.producer.spooled import records, rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds for all cases together; minutes are worth while after a change of the append.
SECONDS = float(os.environ.get("RUNSTREAM_STRESS_SECONDS", "10"))
CASES = [(True, 4096), (True, 256 * 1024), (False, 4096), (False, 256 * 1024)]
ROWS = 5_000
#: Seconds between two signals. A handler must be able to create a segment in that time, even on a busy machine.
INTERVALS = {signal.ITIMER_REAL: 0.002, signal.ITIMER_VIRTUAL: 0.003}


@pytest.fixture
def handled() -> Iterator[None]:
    """Switch threads often, so that no system call takes longer than the timers; restore everything after the test."""
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGVTALRM)}
    yield
    for timer in INTERVALS:
        signal.setitimer(timer, 0)
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.setswitchinterval(switching)


@pytest.mark.parametrize(("mapped", "smallest"), CASES, ids=["mapped-small", "mapped", "written-small", "written"])
@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.usefixtures("handled")
def test_every_returned_row_arrives_once(tmp_path: Path, mapped: bool, smallest: int, threads: int) -> None:  # noqa: FBT001
    """Rows of the main program, of handlers that interrupt it and one another, and of threads are all in the spool."""
    deadline = time.monotonic() + SECONDS / (2 * len(CASES))
    for number in itertools.count():
        folder = tmp_path / str(number)
        folder.mkdir()
        row_log = RowLog(SpoolWriter(folder, bytes(16), smallest=smallest, mapped=mapped))
        returned = _log_from_everywhere(row_log, threads)

        found = Counter(next(iter(row.values.items())) for row in rows(folder))
        assert found == Counter(returned)
        assert [record.order for record in records(folder)] == [*range(len(found))]
        assert row_log.last_values()["main"] == ROWS // (threads + 1) - 1
        if time.monotonic() > deadline:
            break


def _log_from_everywhere(row_log: RowLog, threads: int) -> list[tuple[str, int]]:
    """Log from the main program, signal handlers and threads; return what was logged by calls that returned."""
    returned: list[tuple[str, int]] = []
    ids = itertools.count()
    count = ROWS // (threads + 1)

    def handle(*_: Any) -> None:
        row_log.log({"handler": (number := next(ids))})
        returned.append(("handler", number))

    def log_rows(name: str) -> None:
        for number in range(count):
            row_log.log({name: number})
            returned.append((name, number))

    others = [threading.Thread(target=log_rows, args=(f"thread{index}",)) for index in range(threads)]
    signal.signal(signal.SIGALRM, handle)
    signal.signal(signal.SIGVTALRM, handle)
    for timer, interval in INTERVALS.items():
        signal.setitimer(timer, interval, interval)
    for thread in others:
        thread.start()
    log_rows("main")
    for thread in others:
        thread.join()
    for timer in INTERVALS:
        signal.setitimer(timer, 0)
    return returned
