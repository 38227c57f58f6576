"""A process and a server with the real spool, blocks and summary state."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

from runstream.assembly.assembler import Assembler
from runstream.assembly.events import Envelope, create_messages
from runstream.assembly.spool_summary import SpoolSummary
from runstream.spool.format import CRC_START, TopicCode
from runstream.spool.reader import SpoolReader, segment_path, segments
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.metric import build_metric
from runstream.tracking.rows.row_log import RowLog
from runstream.tracking.run.recorder import DisabledRecorder
from runstream.tracking.summary.local_summary import LocalSummary
from runstream.tracking.summary.summary import Summary
from runstream.tracking.values.entries import config_entry
from runstream_schemas import values
from runstream_schemas.codec import decode
from runstream_schemas.events import Role, Scope, Writer
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.state_codec import encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState
from tests.property.summary.runs import RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runstream.assembly.events import Message

SEGMENT = 8192


class Server:
    """The state of a run in the summary consumer, and the next offset."""

    def __init__(self) -> None:
        self.state = SummaryState(run=RUN)
        self._offset = 0

    def receive(self, message: Message) -> None:
        """Fold a message."""
        self.state.fold(decode(message.topic, message.payload), self._offset, 0)
        self._offset += 1

    @property
    def summary(self) -> str:
        """The summary that is served, as text, so that NaN equals NaN."""
        return values.dump(summary_of(self.state))

    @property
    def stored_state(self) -> Any:
        """The state that is served to a process that resumes the run."""
        return values.load(values.dump(encode_state(self.state)))


class Process(DisabledRecorder):
    """A process that logs to a run, with small segments."""

    def __init__(self, folder: Path, server: Server, number: int, *, resumes: Process | None = None) -> None:
        super().__init__()
        folder.mkdir()
        self._folder = folder
        self._server = server
        continues = () if resumes is None else (resumes.writer.id,)
        self.writer: Writer = Writer(id=bytes([number]) * 16, role=Role.PRIMARY, continues=continues)
        self._spool = SpoolWriter(folder, self.writer.id, smallest=SEGMENT, largest=SEGMENT)
        self._config([config_entry("start_time", 1e9 + number, Scope.ATTRIBUTE)])
        known = server.state.last_step
        self._history = RowLog(self._spool, 0 if known is None else known + 1)
        self._own = LocalSummary(folder, self.writer.id, Role.PRIMARY)
        if resumes is not None:
            self._own.seed(server.stored_state, continues)
        self._reader = SpoolReader(folder)
        self._assembler = Assembler({}, block_bytes=1 << 20, block_rows=7)
        self._cover = SpoolSummary(folder, self.writer)
        self.set_by_hand = Summary(self)

    def log(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:  # noqa: FBT001
        """Log like a program."""
        self._history.log(data, step, commit)

    def log_many(self, count: int) -> None:
        """Log several rows."""
        for number in range(count):
            self.log({"a": number / 3, "val/x": number, "text": f"{number:030d}"}, None, None)

    def large(self) -> None:
        """Log a row for which a message has no room, though it is small in the spool."""
        names = {f"{number}": number for number in range(5000)}
        self.log({"a": -1, "deep": {"n" * 500: names}, "val/x": 5}, None, None)

    def log_full(self, count: int) -> None:
        """Log rows while no segment can be created: some of them are dropped."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (SEGMENT // 2, before[1]))
        try:
            for number in range(count):
                self._history.log({"a": -number, "val/x": number, "text": f"{number:090d}"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def damage(self) -> None:
        """Log a row, and change a byte of it in the spool before anything has read it."""
        before = self._spool.state
        self._history.log({"a": 99, "val/x": 99})
        after = self._spool.state
        segment = after.shared.segment.number
        if segment == before.shared.segment.number and after.position > before.position:
            with segment_path(self._folder, segment).open("r+b") as file:
                file.seek(before.position + CRC_START + 44)
                file.write(b"\xff\xff")

    def define_metric(self, name: str, summary: str | None, goal: str | None, *, overwrite: bool) -> None:
        """Define a metric."""
        given = {"step_metric": None, "step_sync": None, "hidden": None}
        metric = build_metric(name, summary=summary, goal=goal, overwrite=overwrite, **given)
        self._config([config_entry(metric.name, metric.as_record(), Scope.METRIC)])

    def record_summary(self, entries: Any, apply: Callable[[dict[str, Any]], None]) -> None:
        """Append an assignment."""
        del apply
        self._spool.append(TopicCode.SUMMARY, list(entries))

    def summary(self) -> dict[str, Any]:
        """Return the summary in the process."""
        return self._own.values(self._spool.order)

    def deliver(self) -> None:
        """Deliver all complete records to the server."""
        while records := self._reader.read(ended=False):
            self._assembler.add(records)
        envelope = Envelope(RUN, self.writer)
        for block in self._assembler.blocks():
            for message in create_messages(block, envelope, DEFAULT_LIMITS, now=0):
                self._server.receive(message)

    def delete(self) -> None:
        """Delete the delivered segments, as the shipper does."""
        self.deliver()
        last = max(segments(self._folder))
        self._cover.advance_to(last)
        self._cover.save()
        for number in range(last):
            segment_path(self._folder, number).unlink(missing_ok=True)

    def end(self) -> dict[str, Any]:
        """End the writer and its open row; return the summary in the process."""
        summary = self._own.values(self._spool.order, ended=True)
        self.deliver()
        self._assembler.close_row()
        self.deliver()
        self._reader.close()
        self._spool.close()
        return summary

    def _config(self, entries: list[Any]) -> None:
        self._spool.append(TopicCode.CONFIG, entries)
