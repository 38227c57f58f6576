"""Builds the events of a run as its writer would publish them, numbered without gaps."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from runstream_schemas import events, values
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic

_SECOND = 1_000_000
#: 2026-01-01, in microseconds since 1970.
_START = 1_767_225_600 * _SECOND


class RecordedRun:
    """One writer of a run; each method returns the next event. Its clock advances by a second per record.

    Args:
        path: ``entity/project/run_id``.
        writer: Two writers of a run need different names.
        role: The role of the writer.
    """

    def __init__(
        self, path: str = "me/project/run", *, writer: str = "writer", role: events.Role = events.Role.PRIMARY
    ) -> None:
        entity, project, run_id = path.split("/")
        self.path = RunPath(entity=entity, project=project, run_id=run_id)
        self.writer = events.Writer(id=hashlib.sha256(f"{path} {writer}".encode()).digest()[:16], role=role)
        self._seqs: Counter[Topic] = Counter()
        self._order = 0
        self._step = -1

    def log(self, *rows: Mapping[str, Any], step: int | None = None, stream: str = "history") -> events.LogEvent:
        """Return a block of rows, of which the first has the given step, or the one after the last."""
        first = self._step + 1 if step is None else step
        self._step = first + len(rows) - 1
        orders = self._order + np.arange(len(rows))
        return events.LogEvent(
            header=self._header(Topic.LOG, len(rows), order=0),
            stream=events.Stream(stream),
            orders=orders,
            steps=first + np.arange(len(rows)),
            times=_START + _SECOND * orders,
            columns=pack_rows(rows),
        )

    def config(self, changes: Mapping[str, Any], *, scope: events.Scope = events.Scope.CONFIG) -> events.ChangeEvent:
        """Return a record that sets values of the config."""
        return self._change(Topic.CONFIG, changes, scope)

    def summary(self, changes: Mapping[str, Any]) -> events.ChangeEvent:
        """Return a record that sets values of the summary."""
        return self._change(Topic.SUMMARY, changes, events.Scope.UNKNOWN)

    def alert(self, title: str, text: str = "", *, level: str = "info", wait: float = 0.0) -> events.AlertEvent:
        """Return an alert; ``wait`` is its wait duration in seconds."""
        header = self._header(Topic.ALERT, 1, order=self._order)
        return events.AlertEvent(
            header=header, title=title, text=text, level=events.AlertLevel(level), wait_duration_ms=int(wait * 1000)
        )

    def beat(self) -> events.HeartbeatEvent:
        """Return a heartbeat of the writer, whose training process is alive."""
        header = events.Header(
            kind=events.Kind.BEAT, run=self.path, writer=self.writer, time=self._time(), order=self._order
        )
        return events.HeartbeatEvent(header=header, trainer_alive=True, interval_ms=15_000)

    def exit(self, state: str = "finished", *, exit_code: int = 0, reason: str = "") -> events.ExitEvent:
        """Return the last record of the writer, with the counts of what it has appended."""
        ending = events.Ending(
            state=events.ExitState(state), exit_code=exit_code, reason=reason, counts=dict(self._seqs)
        )
        return events.ExitEvent(header=self._header(Topic.EXIT, 1, order=self._order), ending=ending)

    def state(self, state: str, *, previous: str = "unknown", reason: str = "") -> events.StateEvent:
        """Return a transition of the run, as the liveness consumer publishes it."""
        seq = self._seqs[Topic.STATE]
        self._seqs[Topic.STATE] += 1
        header = events.Header(
            kind=events.Kind.DATA, run=self.path, writer=events.STATE_WRITER, time=self._time(), seq=seq, reason=reason
        )
        return events.StateEvent(header=header, previous=events.RunState(previous), state=events.RunState(state))

    def _change(self, topic: Topic, changes: Mapping[str, Any], scope: events.Scope) -> events.ChangeEvent:
        entries = tuple(
            events.Entry(op=events.Operation.SET, path=(name,), value=values.dump(value), scope=scope)
            for name, value in changes.items()
        )
        record = events.Record(order=self._order, time=self._time(), entries=entries)
        return events.ChangeEvent(header=self._header(topic, 1, order=0), topic=topic, records=(record,))

    def _header(self, topic: Topic, count: int, *, order: int) -> events.Header:
        seq, time = self._seqs[topic], self._time()
        self._seqs[topic] += count
        self._order += count
        return events.Header(
            kind=events.Kind.DATA, run=self.path, writer=self.writer, time=time, seq=seq, count=count, order=order
        )

    def _time(self) -> int:
        return _START + _SECOND * self._order
