"""The rows of a writer: which row a ``log()`` call belongs to, and its append. See docs/hot-path.md."""

from __future__ import annotations

import contextlib
from time import time_ns as _time_ns
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import Error
from runstream.spool.format import Flag
from runstream.spool.row_merge import merge
from runstream.tracking.rows.placement import GREATEST_STEP, RowPlacement, place_row, validate_commit, validate_step
from runstream.tracking.rows.recorded_values import Effect, KeyList, RecordedValues, nested
from runstream.tracking.rows.step_metrics import StepMetrics, found
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runstream.spool.writer import SpoolWriter
    from runstream.tracking.rows.metric import Metric

    OnError = Callable[[Exception, Any, int | None, bool | None], None]

_encode = msgspec.msgpack.Encoder().encode
#: Microseconds between two calls of ``on_tick``.
_TICK_EVERY = 1_000_000


class RowLog:
    """Assigns ``log()`` calls to rows by their steps (see docs/client.md) and appends them to the spool of one writer.

    Args:
        writer: Receives the rows; it keeps the counter and the step of the open row.
        counter: The step of the first row that is logged without one.
        on_tick: Called about once a second while rows are logged, with their time.
        on_error: Called with exceptions of appends other than :class:`Error`, and the arguments of the call.
        warn: Called with a message when a call is handled in a way that its author may not expect.
    """

    __slots__ = (
        "_encoder",
        "_explicit_steps",
        "_first_row",
        "_known",
        "_on_error",
        "_on_tick",
        "_steps",
        "_tick_at",
        "_values",
        "_warn",
        "_warned",
        "writer",
    )

    def __init__(
        self,
        writer: SpoolWriter,
        counter: int = 0,
        *,
        on_tick: Callable[[int], None] = lambda _: None,
        on_error: OnError | None = None,
        warn: Callable[[str], None] = lambda _: None,
        encoder: ValueEncoder = DEFAULT_ENCODER,
    ) -> None:
        self.writer = writer
        writer.set_counter(counter)
        self._on_tick = on_tick
        self._tick_at = 0
        self._on_error = on_error
        self._warn = warn
        self._encoder = encoder
        self._warned = False
        #: The seq of the first row of a writer that continues an earlier one.
        self._first_row = -1
        self._steps: StepMetrics | None = None
        #: The keys of the latest row whose keys need not be validated again.
        self._known = KeyList([], -1)
        self._values = RecordedValues()
        #: Flag of rows whose step the program specified; 0 if they are not marked.
        self._explicit_steps = 0

    @property
    def counter(self) -> int:
        """The step that the next row without one gets, or that of the open row."""
        return self.writer.counter

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Append one call of ``log()``; raises DataError or DiskFullError if nothing was recorded."""
        key_list: KeyList | None = self._known
        latest = self._known
        try:
            payload = _encode(data)
            # The keys were validated before. A payload of the length of all-float values holds numbers or short values,
            # which are recorded as they are; otherwise, only numbers add up to a float.
            known = [*data] == latest.keys and (len(payload) == latest.length or type(sum(data.values(), 0.0)) is float)
        except Exception:  # noqa: BLE001 - unusual values may raise anything here; they are validated below
            known = False
        if not known:
            key_list, payload = self._validated(data, step)
        now = _time_ns() // 1000
        tail = self.writer.tail
        try:
            if (
                step is None
                and (commit is None or commit is True)
                and tail[6] is None
                and key_list is not None
                and (body := self.writer.append_row(tail, now, payload)) is not None
            ):
                key_list.recent.append(body)
            else:
                self._append(key_list, payload, now, step, commit)
        except Error:
            raise
        except Exception as error:
            if step is None and self.writer.counter > GREATEST_STEP:  # there is no later step
                self.writer.set_counter(GREATEST_STEP)
                self.log(data, step, commit, sync)
                return
            if self._on_error is None:
                raise
            self._on_error(error, data, step, commit)
        if sync is not None:
            self._warn("log(sync=...) is deprecated and ignored")
        if now > self._tick_at:
            self._tick_at = now + _TICK_EVERY
            self._on_tick(now)

    def go_on(self, step: int, values: Iterable[tuple[Sequence[str], int, Any]] = (), *, again: bool = False) -> None:
        """Continue where an earlier writer stopped; called before the first row.

        Args:
            step: The step of the first row that is logged without one.
            values: Last values so far: path, step and value of each.
            again: Accept a lower first step, not as late: the rows are repeated, as after a return to a checkpoint.
        """
        self.writer.set_counter(step)
        if again:
            self._first_row = self.writer.next_row
        for path, at, value in values:
            self._values.seed(nested(path, value), at)

    def mark_explicit_steps(self) -> None:
        """Mark the steps that the program specifies: the others are relative to the run's last step at delivery."""
        self._explicit_steps = Flag.EXPLICIT_STEP << 8

    def define(self, metric: Metric) -> None:
        """Apply a metric definition: the last value of a step metric is inserted into rows that lack it."""
        if self._steps is None:
            self._steps = StepMetrics()
        self._steps.define(metric)
        self._known = KeyList([], -1)

    def in_child(self, writer: SpoolWriter) -> RowLog:
        """Return the row log of a forked child: its steps and last values continue from here."""
        child = RowLog(
            writer, self.counter, on_tick=self._on_tick, on_error=self._on_error, warn=self._warn, encoder=self._encoder
        )
        child._warned = self._warned
        child._values = self._values.copy()
        child._steps = self._steps
        child._explicit_steps = self._explicit_steps
        return child

    def last_values(self) -> dict[str, Any]:
        """Return the last value of every key that was logged, nested as it was logged."""
        return self._values.values()

    def update_last_values(self, apply: Callable[[dict[str, Any]], None]) -> None:
        """Have a function change the last values in place."""
        self._values.update(apply)

    def _append(
        self,
        key_list: KeyList | None,
        payload: bytes,
        now: int,
        step: int | None,
        commit: bool | None,  # noqa: FBT001
    ) -> None:
        """Append a record that is not a whole row at the counter, or has to wait for room or for an earlier append."""
        step = None if step is None else validate_step(step)
        commit = None if commit is None else validate_commit(commit)
        body = None
        while body is None:
            state = self.writer.state
            rows = state.rows
            if step is not None and rows.next_row == self._first_row and 0 <= step < rows.counter:
                rows = rows._replace(counter=step)
            placement = place_row(rows, step, commit)
            kind = placement.kind if step is None else placement.kind | self._explicit_steps
            body = self.writer.append_part(state, kind, placement.seq, placement.step, now, payload, placement.after)
        if placement.late and not self._warned:
            self._warned = True
            self._warn(
                f"step {placement.step} is lower than the current step {rows.counter}: the row is kept, marked late, "
                "and later steps keep the last values (reported once)"
            )
        self._note(state.order, placement, body, key_list, payload, held=commit is False)

    def _note(
        self, order: int, placement: RowPlacement, body: bytes, key_list: KeyList | None, payload: bytes, *, held: bool
    ) -> None:
        """Note how a record that was appended, or dropped, changes the last values."""
        values, step = self._values, placement.step
        if placement.ends_open and values.holding:
            values.note(Effect.RELEASE, order)
        if placement.late:
            if body:
                values.note(Effect.LATE, order, step, payload)
            return
        if body and key_list is None and not (held or values.holding):
            values.note(Effect.ROW, order, step, payload)
        elif body and (key_list is None or held):
            values.note(Effect.HOLD, order, step, payload)
        if not held:
            if values.holding:
                values.note(Effect.RELEASE, order)
            if body and key_list is not None:
                key_list.recent.append(body)

    def _validated(self, data: Any, step: int | None) -> tuple[KeyList | None, bytes]:
        """Return the key list of a row, None if it does not replace all its last values; and its msgpack."""
        if type(data) is dict and not self._steps and (key_list := self._values.key_list(tuple(data))) is not None:
            with contextlib.suppress(Exception):  # unusual values, as in log()
                if type(sum(data.values(), 0.0)) is float:
                    payload = _encode(data)
                    self._known = key_list
                    return key_list, payload
        place = self.writer.counter if step is None else validate_step(step)
        row = self._encoder.row(data, place)
        inserts = self._steps is not None and bool(missing := self._steps.missing(row))
        if inserts:
            self._insert(row, missing)
        payload = _encode(row)
        if (fitted := self._encoder.fitted_row(row, len(payload), place)) is not row:
            return None, _encode(fitted)
        if any(value is None or type(value) is dict for value in row.values()):
            return None, payload
        keys = tuple(row)
        key_list = self._values.key_list(keys)
        if key_list is None:
            key_list = self._values.add_key_list(keys, len(_encode(dict.fromkeys(row, 0.0))))
        if issubclass(type(data), dict) and len(row) == dict.__len__(data) > 0 and not inserts:
            self._known = key_list
        return key_list, payload

    def _insert(self, row: dict[str, Any], missing: Iterable[str]) -> None:
        """Insert the last values of step metrics that a row lacks; those of the open row take precedence."""
        last = self.last_values()
        for name in missing:
            merge(row, found(self._values.held, name) or found(last, name))
