"""Appending to the spool: the one thing that ``log()`` waits for. See docs/hot-path.md."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import weakref
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import DiskFullError
from runstream.spool.chain import Link, RowState, SharedState, aligned, now_us
from runstream.spool.format import (
    CRC_START,
    RECORD_TAIL,
    SEGMENT_HEADER,
    WHOLE,
    Flag,
    StreamCode,
    TopicCode,
    kind_of,
)
from runstream.spool.gil import require_gil
from runstream.spool.refusals import ClosedError, DiskPolicy, ForkedError
from runstream.spool.segment import DamagedSegmentError
from runstream.spool.segment_factory import LARGEST_SEGMENT, SMALLEST_SEGMENT, SegmentFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runstream.spool.segment import Segment

FIRST = SEGMENT_HEADER.size
_ROW = kind_of(TopicCode.LOG, WHOLE, StreamCode.HISTORY)
_pack = RECORD_TAIL.pack
_crc32 = zlib.crc32

#: Seconds between two attempts to get room on a full disk.
RETRY_S = 0.1
#: Microseconds after which an append checks again whether the file of its segment was truncated; see ADR 0012.
CHECK_US = 30
#: Errors after which a segment cannot grow either.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpoolWriter:
    """Appends the records of one writer. Safe with threads, signal handlers and forks; no append waits for another.

    A record is in the spool, and survives the end of the process, when the call returns. Appends form a chain (see
    :mod:`runstream.spool.chain`). An append that finds a link not stored yet, because the thread of that link was
    interrupted, stores it before it adds its own: storing a link again changes nothing.

    ``report`` is called with a message when a record was dropped or an append waits for room. Segments grow from
    ``smallest`` to ``largest``; with ``mapped=False``, they are written with ``pwrite``, as is done where space cannot
    be reserved. ``clock`` returns the time of records other than rows. The first segment is created at once, or OSError
    is raised.
    """

    def __init__(
        self,
        folder: Path,
        writer: bytes,
        *,
        policy: DiskPolicy = DiskPolicy.DROP,
        report: Callable[[str], None] = lambda _: None,
        smallest: int = SMALLEST_SEGMENT,
        largest: int = LARGEST_SEGMENT,
        mapped: bool = True,
        clock: Callable[[], int] = now_us,
    ) -> None:
        require_gil()
        self._policy, self._report, self._clock = policy, report, clock
        self._factory = SegmentFactory(folder, writer, smallest=smallest, largest=largest, mapped=mapped)
        self._retry_at, self._check_at = 0.0, 0
        #: The latest error that prevented an append, and the reason that markers have.
        self._problem, self._reason = "no space left", "the disk was full"
        self._last: Segment | None = None  # that of the last record, once the writer is closed
        self._pid = os.getpid()
        segment = self._factory.first()
        segment.publish()
        #: A link at the end of the chain or before it. It may lag, and even go back, so links are followed from here.
        self.tail: tuple[Any, ...] = Link([], b"", 0, FIRST, 0, 0, None, SharedState(segment=segment).replaced())
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(this))

    @property
    def state(self) -> Link:
        """The last link of the chain; every link before it is stored."""
        link = self.tail
        while link[0]:
            # All links but the last are stored: nothing is appended after one that is not.
            while link[0]:
                before, link = link, link[0][0]
            # If storing fails, the link is undone by a successor, and the append that it belongs to finds out.
            with contextlib.suppress(OSError):
                self._store(Link._make(before), Link._make(link))
        return Link._make(link)

    @property
    def order(self) -> int:
        """The order of the next append."""
        return self.state.order

    @property
    def counter(self) -> int:
        """The step of the next row without one, or that of the open row if that is the latest."""
        return self.state.counter

    @property
    def next_row(self) -> int:
        """The seq of the next row."""
        return self.state.next_row

    @property
    def counts(self) -> tuple[int, ...]:
        """Records of each topic but the log so far, by topic code."""
        return self.state.shared.counts

    @property
    def dropped(self) -> int:
        """Records dropped in all."""
        return self.state.shared.dropped

    @property
    def closed(self) -> bool:
        """Whether the last record was appended."""
        return self.state.shared.refusal is ClosedError

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process that created the writer."""
        return os.getpid() != self._pid

    def set_counter(self, step: int) -> None:
        """Set the step of the next row without one."""
        state = self.state
        while not self._commit(state, state.then(rows=state.rows._replace(counter=step))):
            state = self.state

    def append_row(self, tail: tuple[Any, ...], now: int, payload: bytes) -> bytes | None:
        """Append a whole row at the counter: the fast path. ``tail`` is a value of :attr:`tail` that had no open row.

        Return the stored record without length and CRC; None if :meth:`append_part` has to be used, because the segment
        has no room, or another append was made since ``tail`` was read.
        """
        successors, _, order, position, seq, step, _, shared = tail
        body = _pack(_ROW, order, seq, step, now) + payload
        start = position + CRC_START
        end = start + len(body)
        if end > shared.limit:
            return None
        if now >= self._check_at:
            if shared.segment.shrunk:
                return None
            self._check_at = now + CHECK_US
        link: tuple[Any, ...] = ([], body, order + 1, end + 7 & -8, seq + 1, step + 1, None, shared)
        crc = _crc32(body)
        successors.append(link)
        if successors[0] is not link:
            return None
        # The row is appended: from here on every other append stores it first.
        segment = shared.segment
        segment.bytes[start:end] = body
        words, word = segment.words, position >> 2
        words[word + 1] = crc
        words[word] = end - position
        self.tail = link
        return body

    def append_part(  # noqa: PLR0917 - the fields of a record
        self, state: Link, kind: int, seq: int, step: int, now: int, payload: bytes, after: RowState
    ) -> bytes | None:
        """Append a record to the log, derived from ``state``, after which the position in the rows is ``after``.

        Return the stored record without length and CRC; empty if it was dropped; None if another append was made first:
        then the arguments have to be derived again. ForkedError, ClosedError or DiskFullError refuse the append.
        """
        body = _pack(kind, state.order, seq, step, now) + payload
        successors, _, order, position, *_, shared = state
        end = position + CRC_START + len(body)
        if end > shared.limit or (now >= self._check_at and shared.segment.shrunk):
            return self._append(state, TopicCode.LOG, body, state.then(body, rows=after))
        next_row, counter, step_opened, row_opened = after
        opened = None if step_opened is None else (step_opened, row_opened)
        link: tuple[Any, ...] = ([], body, order + 1, aligned(end), next_row, counter, opened, shared)
        successors.append(link)
        if successors[0] is not link:
            return None
        shared.segment.store(position, body)
        self.tail = link
        return body

    def append_whole_row(self, stream: StreamCode, step: int, now: int, payload: bytes) -> bool:
        """Append a row that nothing joins; return False if it was dropped. Raises what :meth:`append_part` does."""
        kind = kind_of(TopicCode.LOG, WHOLE, stream)
        while True:
            state = self.state
            seq = state.next_row
            after = RowState(seq + 1, step + 1, None, seq)
            if (body := self.append_part(state, kind, seq, step, now, payload, after)) is not None:
                return bool(body)

    def append_branch(self, run_id: str | None, step: int) -> bool:
        """Append a branch marker; return False if it was dropped. Raises what :meth:`append_part` does.

        The rows continue those of a run of the same project (None for the writer's own run) up to a step.
        """
        kind = kind_of(TopicCode.LOG, WHOLE | Flag.BRANCH, StreamCode.HISTORY)
        payload = msgspec.msgpack.encode({"run_id": run_id})
        while True:
            state = self.state
            rows = state.rows
            after = rows._replace(next_row=rows.next_row + 1)
            body = self.append_part(state, kind, rows.next_row, step, self._clock(), payload, after)
            if body is not None:
                return bool(body)

    def append(self, topic: TopicCode, value: Any) -> bool:
        """Append a record of another topic; return False if it was dropped. Raises what :meth:`append_part` does."""
        payload = msgspec.msgpack.encode(value)
        while True:
            state = self.state
            body, link = state.with_record(topic, payload, self._clock())
            if (stored := self._append(state, topic, body, link)) is not None:
                return bool(stored)

    def append_last(self, *forms: Any) -> bool:
        """Append the exit in the first form that has room, and close; return False if it could not be recorded."""
        payloads = [msgspec.msgpack.encode(form) for form in forms]
        while (state := self.state).shared.refusal is None:
            room = state.shared.segment.size
            try:
                if state.shared.waiting and room:
                    self._commit(state, state.with_marker(self._reason, now_us()))
                    continue
                body, link = state.with_record(TopicCode.EXIT, payloads[0], self._clock())
                if state.end_of(body) > room:
                    self._open_segment(len(body))
                elif self._commit(state, link._replace(shared=link.shared.refusing(ClosedError))):
                    self._last = state.shared.segment
                    self._factory.close()
                    return True
            except DamagedSegmentError as error:
                self._report_damage(error)
            except OSError:
                if len(payloads) == 1:
                    self.close()
                payloads.pop(0)
        return False

    def move(self, folder: Path) -> None:
        """Continue in a folder that was renamed; a second call does nothing."""
        self._factory.folder = folder
        self.state.shared.segment.move(folder)

    def restore(self) -> None:
        """Create the file of the last segment again if it was deleted, and continue in another; raises OSError."""
        self._check_at, state = 0, self.state  # the clock may have been set back
        if (segment := self._last or state.shared.segment).deleted:
            if self._last is None:
                # First, since a reader that has the deleted file open does not see what is appended to another.
                while not self._commit(state, state.then(shared=state.shared.replaced(full=True))):
                    state = self.state
            segment.restore(segment.size)

    def close(self) -> None:
        """Release the segment and refuse later appends."""
        while (state := self.state).shared.refusal is None:
            self._commit(state, state.then(shared=state.shared.refusing(ClosedError)))
        self._factory.close()

    def _append(self, state: Link, topic: TopicCode, body: bytes, link: Link) -> bytes | None:
        """Append a record as a link; see :meth:`append_part` for what is returned and raised."""
        shared = state.shared
        if shared.refusal is not None:
            raise shared.refusal
        if self.forked:
            raise ForkedError
        if not state.has_room(len(body)):
            return self._without_room(state, topic, len(body), link)
        try:
            if shared.waiting:
                self._commit(state, state.with_marker(self._reason, now_us()))
            elif self._commit(state, link):
                return body
        except DamagedSegmentError as error:
            self._report_damage(error)
        except OSError as error:
            self._refuse(error)
        return None

    def _report_damage(self, error: OSError) -> None:
        self._report(f"{self._factory.folder}: {error.strerror}; records in it that were not delivered are lost")

    def _commit(self, state: Link, link: Link) -> bool:
        """Make a link the successor of the last one and store it; return False if another one was first.

        OSError is raised if it could not be stored, and was undone.
        """
        state.successors.append(link)
        if state.successors[0] is not link:
            return False
        self._store(state, link)
        return True

    def _store(self, before: Link, link: Link) -> None:
        """Store a link, which other threads and signal handlers may be doing as well.

        OSError is raised if it could not be stored, here or elsewhere, and was undone.
        """
        problem: OSError | None = None
        segment = link.shared.segment
        try:
            if not segment.published:
                segment.publish()
            if link.body:
                segment = before.shared.segment
                segment.store(before.position, link.body)
        except OSError as error:
            problem = error
            if not link.successors:
                segment.disconnect()
                link.successors.append(before.undone(link))
        self.tail = link
        if link.successors and link.successors[0][1] is None:
            raise problem or OSError(errno.EIO, os.strerror(errno.EIO))

    def _refuse(self, error: OSError) -> None:
        """Note that there is no room, and why; raise DiskFullError if that is the policy."""
        self._retry_at = time.monotonic() + RETRY_S
        self._problem = error.strerror or str(error)
        self._reason = (
            "the disk was full" if error.errno in _NO_SPACE else f"the spool cannot be written: {self._problem}"
        )
        if self._policy is DiskPolicy.RAISE:
            raise DiskFullError(f"{self._factory.folder}: {self._problem}; nothing of this call was recorded")

    def _without_room(self, state: Link, topic: TopicCode, length: int, link: Link) -> bytes | None:
        """Open a new segment, or apply the policy for a full disk; return None if the append is to be tried again."""
        if self._policy is DiskPolicy.RAISE or time.monotonic() >= self._retry_at:
            try:
                self._open_segment(length)
            except OSError as error:
                self._refuse(error)
            else:
                return None
        if self._policy is DiskPolicy.BLOCK:
            self._report(f"{self._factory.folder}: {self._problem}; waiting for room (disk='block')")
            time.sleep(RETRY_S)
        elif self._commit(state, state.dropping(topic, link)):
            self._report(f"{self._factory.folder}: {self._problem}; new records are dropped and counted (disk='drop')")
            return b""
        return None

    def _open_segment(self, length: int) -> None:
        """Create the next segment and continue there, unless another append did so first.

        Where no file can be created, the segment grows, except on a full disk.
        """
        try:
            segment = self._factory.create(CRC_START + length)
        except OSError as error:
            if error.errno in _NO_SPACE or not self._grow_segment(length):
                raise
            return
        # A signal handler or another thread may have appended meanwhile, and opened a segment that has room.
        while (state := self.state).shared.refusal is None and not state.has_room(length):
            segment.assign(state.shared.segment.number + 1, state.order)
            shared = state.shared.replaced(segment=segment, full=False)
            if self._commit(state, state.then(position=FIRST, shared=shared)):
                return
        self._factory.give_back(segment)

    def _grow_segment(self, length: int) -> bool:
        """Continue in the same segment with more room; return False if that is not possible."""
        while (state := self.state).shared.refusal is None and not state.has_room(length):
            try:
                segment = self._factory.grown(state.shared.segment, CRC_START + length)
            except OSError:
                return False
            self._commit(state, state.then(shared=state.shared.replaced(segment=segment, full=False)))
        return True


def _after_fork(reference: weakref.ref[SpoolWriter]) -> None:
    """Refuse appends in a forked child, whose parent owns the writer; an append that was interrupted fails as well."""
    writer = reference()
    if writer is None or not writer.forked:
        return
    # Nothing is stored here: the links of before the fork are the parent's to store.
    link = Link._make(writer.tail)
    while link.shared.refusal is not ForkedError:
        link.successors.append(link.then(shared=link.shared.refusing(ForkedError)))
        link = Link._make(link.successors[0])
    writer.tail = link
