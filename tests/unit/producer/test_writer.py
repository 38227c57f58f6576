"""Appending to segments: growth, space, refusals, threads and signals."""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

import msgspec
import pytest

from runstream.exceptions import DiskFullError
from runstream.spool.format import Flag, StreamCode, TopicCode
from runstream.spool.refusals import ClosedError, DiskPolicy, ForkedError
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from tests.unit.producer.spooled import of_topic, records, rows, steps_and_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

SMALL = 4096


@pytest.fixture(params=[True, False], ids=["mapped", "written"])
def mapped(request: pytest.FixtureRequest) -> bool:
    """Return whether segments are mapped; they are written to if space cannot be reserved."""
    return bool(request.param)


@contextmanager
def full_disk(limit: int = SMALL) -> Iterator[None]:
    """Limit the size of files of this process, which has the effect of a full disk.

    Only within a test: between a test and the end of its fixtures, pytest may write its report to a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_appended_records_can_be_read(tmp_path: Path, mapped: bool) -> None:  # noqa: FBT001
    """Records of all topics are read in order, across many segments."""
    writer = SpoolWriter(tmp_path, b"w" * 16, smallest=SMALL, mapped=mapped)
    for number in range(300):
        writer.append_whole_row(StreamCode.SYSTEM, number, 7, msgspec.msgpack.encode({"n": number}))
        writer.append(TopicCode.SUMMARY, [["set", ["n"], number]])
    assert writer.append_last({"state": "finished"})

    found = records(tmp_path)
    assert list(range(601)) == [record.order for record in found]
    assert [{"n": number} for number in range(300)] == of_topic(tmp_path, TopicCode.LOG)
    assert list(range(300)) == [record.seq for record in found if record.topic == TopicCode.SUMMARY]
    assert (found[-1].topic, found[-1].seq) == (TopicCode.EXIT, 0)
    assert len(list(tmp_path.glob("*.seg"))) > 2


def test_segments_are_private_and_reserved(tmp_path: Path) -> None:
    """Only the user can read the spool, and its disk space is allocated before anything is stored."""
    SpoolWriter(tmp_path, bytes(16))

    (segment,) = tmp_path.iterdir()
    assert segment.stat().st_mode & 0o777 == 0o600
    assert segment.stat().st_blocks * 512 >= segment.stat().st_size == 256 * 1024


def test_a_record_larger_than_a_segment_gets_a_larger_segment(tmp_path: Path, mapped: bool) -> None:  # noqa: FBT001
    """No record is too large for the spool."""
    writer = SpoolWriter(tmp_path, bytes(16), smallest=SMALL, mapped=mapped)
    large = [0.5] * 1_000_000
    writer.append(TopicCode.CONFIG, ["before"])
    writer.append(TopicCode.CONFIG, large)
    writer.append(TopicCode.CONFIG, ["after"])

    assert [["before"], large, ["after"]] == of_topic(tmp_path, TopicCode.CONFIG)


def test_a_closed_writer_refuses_appends(tmp_path: Path) -> None:
    """After the last record nothing is appended."""
    writer = SpoolWriter(tmp_path, bytes(16))
    assert writer.append_last({"state": "finished"})

    with pytest.raises(ClosedError):
        writer.append(TopicCode.CONFIG, [])
    assert len(records(tmp_path)) == 1


def test_a_full_disk_drops_rows_and_counts_them(tmp_path: Path) -> None:
    """Dropped rows are counted; once recorded is space, a marker uses their numbers, and later rows are recorded."""
    reports: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, report=reports.append))
    history.log({"x": 0.0})
    with full_disk():
        while not history.writer.dropped:
            history.log({"x": 1.0})
        before = history.writer.next_row - 1
        for _ in range(9):
            history.log({"x": 2.0})
    _until_space(history)
    history.log({"x": 3.0})

    dropped = history.writer.dropped
    (marker,) = [record for record in records(tmp_path) if record.flags & Flag.DROPPED]
    assert {"dropped": dropped, "reason": "the disk was full"} == msgspec.msgpack.decode(marker.payload)
    assert before == marker.seq
    numbers = [row.seq for row in rows(tmp_path)]
    assert [*range(before), *range(before + dropped, history.writer.next_row)] == numbers
    assert list(range(len(records(tmp_path)))) == [record.order for record in records(tmp_path)]
    assert len(set(reports)) == 1


def test_a_full_disk_has_space_for_the_exit(tmp_path: Path) -> None:
    """The exit and the count of rows dropped before it are recorded although nothing else fits."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL))
    with full_disk():
        while history.writer.dropped < 5:
            history.log({"x": 1.0})

        ending = {"state": "failed", "reason": "r" * 500}
        assert history.writer.append_last({**ending, "failure": {"traceback": "t" * 30_000}}, ending)
    assert [record.topic for record in records(tmp_path)[-2:]] == [TopicCode.LOG, TopicCode.EXIT]
    assert of_topic(tmp_path, TopicCode.LOG)[-1] == {"dropped": 5, "reason": "the disk was full"}


def test_a_call_after_a_dropped_row_opens_a_row(tmp_path: Path) -> None:
    """A call that would join a dropped row opens a row at the same step."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL))
    with full_disk():
        step = 0
        while not history.writer.dropped:
            step += 1
            history.log({"a": 1.0}, step=step)
    _until_space(history, step)

    last = rows(tmp_path)[-1]
    assert (step, {"a": 2.0}) == (last.step, last.values)


def test_a_full_disk_raises_with_the_policy_to_raise(tmp_path: Path) -> None:
    """The call fails, nothing of it is recorded, and the next row has the next number."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, policy=DiskPolicy.RAISE))
    with full_disk():
        recorded = 0
        with pytest.raises(DiskFullError):  # noqa: PT012 - which of them raises is not known
            for recorded in range(1000):
                history.log({"x": float(recorded)})
    history.log({"x": -1.0})

    assert [*range(recorded + 1)] == [row.seq for row in rows(tmp_path)]
    assert history.writer.dropped == 0


def test_a_full_disk_blocks_with_the_policy_to_block(tmp_path: Path) -> None:
    """A call waits for space, and no row is lost."""
    waiting = threading.Event()
    history = RowLog(
        SpoolWriter(tmp_path, bytes(16), smallest=SMALL, policy=DiskPolicy.BLOCK, report=lambda _: waiting.set())
    )
    with full_disk():
        thread = threading.Thread(target=lambda: _log_numbers(history, 200))
        thread.start()
        assert waiting.wait(120)
    thread.join(10)

    assert [{"x": float(value)} for value in range(200)] == [row.values for row in rows(tmp_path)]


def test_the_writer_closes_while_a_thread_waits_for_space(tmp_path: Path, mapped: bool) -> None:  # noqa: FBT001
    """The exit is recorded in the reserved space, and the waiting append is refused."""
    waiting, refused = threading.Event(), threading.Event()
    writer = SpoolWriter(
        tmp_path,
        bytes(16),
        smallest=SMALL,
        mapped=mapped,
        policy=DiskPolicy.BLOCK,
        report=lambda _: waiting.set(),
    )

    def log_until_refused() -> None:
        with suppress(ClosedError):
            _log_numbers(RowLog(writer), 200)
        refused.set()

    thread = threading.Thread(target=log_until_refused)
    with full_disk():
        thread.start()
        assert waiting.wait(120)
        assert writer.append_last({"state": "killed"})
    assert refused.wait(120)
    thread.join()
    assert of_topic(tmp_path, TopicCode.EXIT) == [{"state": "killed"}]


def test_threads_do_not_affect_each_other(tmp_path: Path, mapped: bool) -> None:  # noqa: FBT001
    """All rows of concurrent threads are recorded, in order for each thread, and numbered without holes."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, mapped=mapped))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=_log_many, args=(history, name)) for name in "abcdef"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    found = rows(tmp_path)
    assert list(range(6 * 2000)) == [row.seq for row in found]
    assert list(range(6 * 2000)) == [row.step for row in found]
    assert list(range(6 * 2000)) == [record.order for record in records(tmp_path)]
    for name in "abcdef":
        assert list(range(2000)) == [row.values[name] for row in found if name in row.values]


@pytest.mark.parametrize("length", [1, 1200], ids=["within a segment", "with a new segment each"])
def test_an_exception_at_any_moment_leaves_a_whole_record_or_none(
    tmp_path: Path,
    length: int,
    mapped: bool,  # noqa: FBT001
) -> None:
    """Wherever a signal handler raises within log(), later rows are complete, and no row is recorded twice."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, largest=SMALL, mapped=mapped))
    returned, moment, done = [], 0, False
    while not done:
        moment += 1
        history.log({"x": moment})
        try:
            with _AtCall(moment, _raise) as at_call:
                history.log({"y": moment, "text": "x" * length}, commit=moment % 2 == 0)
            done = not at_call.happened
            returned.append(moment)
        except _InterruptionError:
            continue

    found = rows(tmp_path)
    assert [*range(len(found))] == [row.seq for row in found]
    assert [*range(1, moment + 1)] == [row.values["x"] for row in found if "x" in row.values]
    recorded = [row.values["y"] for row in found if "y" in row.values]
    assert sorted(set(recorded)) == recorded
    assert set() == set(returned) - set(recorded)
    assert moment > 20


@pytest.mark.parametrize("length", [1, 1200], ids=["within a segment", "with a new segment each"])
@pytest.mark.parametrize("nested_length", [1, 1200], ids=["nested within", "nested with a new segment"])
def test_a_signal_handler_can_log_at_any_moment(
    tmp_path: Path,
    length: int,
    nested_length: int,
    mapped: bool,  # noqa: FBT001
) -> None:
    """The rows of the handler and those of the interrupted calls are recorded."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, largest=SMALL, mapped=mapped))
    moment, done = 0, False
    while not done:
        moment += 1
        history.log({"fill": 1.0})
        row = {"nested": moment, "text": "x" * nested_length}
        with _AtCall(moment, lambda: history.log(row)) as at_call:  # noqa: B023
            history.log({"x": moment, "text": "x" * length})
        done = not at_call.happened

    found = [row.values for row in rows(tmp_path)]
    assert [*range(1, moment + 1)] == [row["x"] for row in found if "x" in row]
    assert [*range(1, moment)] == [row["nested"] for row in found if "nested" in row]
    assert [*range(3 * moment - 1)] == [step for step, _ in steps_and_values(tmp_path)]
    assert [*range(3 * moment - 1)] == [row.seq for row in rows(tmp_path)]
    history.writer.close()
    assert list(tmp_path.glob("*.new")) == []


def test_a_record_that_cannot_be_written_is_dropped(tmp_path: Path) -> None:
    """If a write ends within a record, earlier and later records are read, and the marker counts the dropped one."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, mapped=False))
    history.log({"x": 0})
    with full_disk(limit=256):
        history.log({"x": 1, "text": "y" * 300})
        history.log({"x": 2})
    _until_space(history)

    found = [row.values for row in rows(tmp_path)]
    assert found[0] == {"x": 0}
    assert {"a": 2.0} in found
    assert not any(row.get("x") in {1, 2} for row in found)
    assert [record.order for record in records(tmp_path)] == [*range(len(records(tmp_path)))]
    assert sum(marker["dropped"] for marker in of_topic(tmp_path, TopicCode.LOG) if "dropped" in marker) >= 2


def test_a_fork_in_a_signal_handler_leaves_the_spool_to_the_parent(tmp_path: Path, mapped: bool) -> None:  # noqa: FBT001
    """A child forked at any moment of log() appends nothing to its parent's spool, and the parent continues."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=SMALL, mapped=mapped))
    children: list[int] = []

    def fork() -> None:
        if pid := os.fork():
            children.append(pid)
            os.waitpid(pid, 0)

    moment, done, parent = 0, False, os.getpid()
    while not done:
        moment += 1
        try:
            with _AtCall(moment, fork) as at_call:
                history.log({"x": moment})
            if os.getpid() != parent:
                history.log({"child": 1})
        except ForkedError:
            pass
        finally:
            if os.getpid() != parent:
                os._exit(0)
        done = not at_call.happened

    assert [{"x": value} for value in range(1, moment + 1)] == [row.values for row in rows(tmp_path)]
    assert len(children) == moment - 1 > 5


class _InterruptionError(Exception):
    pass


def _raise() -> None:
    raise _InterruptionError


class _AtCall:
    """Calls a function at the n-th call or return in this thread, the moments when CPython handles signals."""

    def __init__(self, number: int, action: Callable[[], object]) -> None:
        self._left = number
        self._action = action
        self.happened = False

    def __enter__(self) -> Self:
        gc.disable()  # its callbacks are no part of the program, and an exception in one is lost
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        gc.enable()

    def _profile(self, frame: FrameType, event: str, arg: object) -> None:
        del event, arg
        if frame.f_code.co_name == "__exit__" and "self" in frame.f_locals and frame.f_locals["self"] is self:
            return
        self._left -= 1
        if self._left == 0:
            self.happened = True
            sys.setprofile(None)
            self._action()


def _log_numbers(history: RowLog, count: int) -> None:
    for value in range(count):
        history.log({"x": float(value)})


def _log_many(history: RowLog, name: str) -> None:
    for value in range(2000):
        history.log({name: value})


def _until_space(history: RowLog, step: int | None = None) -> None:
    """Log until a row is recorded again; the writer checks the space every tenth of a second."""
    dropped = -1
    while dropped != history.writer.dropped:
        dropped = history.writer.dropped
        history.log({"a": 2.0}, step=step)
