"""The rows of a writer: which row a ``log()`` call belongs to, and its append."""

from __future__ import annotations

import contextlib
from time import time_ns as _time_ns
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import Error
from runstream.spool.claim import LOGGING
from runstream.spool.format import Flag, StreamCode, TopicCode
from runstream.spool.writer import WHOLE, SpoolWriter, kind_of
from runstream.tracking.rows.last_values import LastValues, merge, nested
from runstream.tracking.rows.placement import place_row, validate_commit, validate_step
from runstream.tracking.rows.step_metrics import StepMetrics, found
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runstream.tracking.rows.metric import Metric

    OnError = Callable[[Exception, Any, int | None, bool | None], None]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

_WHOLE = kind_of(TopicCode.LOG, WHOLE, StreamCode.HISTORY)


class Shape:
    """A list of keys that was logged and found good, and where in the segment its last values lie."""

    __slots__ = ("keys", "length", "position")

    def __init__(self, keys: list[str], length: int) -> None:
        self.keys = keys
        #: Bytes of a row of these keys whose values are all floats.
        self.length = length
        self.position = 0


class RowLog:
    """Rows by the rules of steps (see docs/client.md), appended to the spool of one writer.

    Args:
        writer: Where rows go; it keeps the counter and the step of the open row.
        counter: The step of the first row that is logged without one.
        on_tick: Called about once a second while rows are logged, with their time.
        on_error: Called with what an append raised that is no :class:`Error`, and with the arguments of the call.
        warn: Called with one sentence when a call is taken otherwise than its author may think.
    """

    __slots__ = (
        "_encoder",
        "_first_row",
        "_held",
        "_held_step",
        "_last",
        "_on_error",
        "_on_tick",
        "_said",
        "_shape",
        "_shapes",
        "_steps",
        "_tick_at",
        "_touched",
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
        self._encoder = encoder
        writer.counter = counter
        writer.rotated = self._fold
        self._on_tick = on_tick
        self._tick_at = 0
        self._on_error = on_error
        self._warn = warn
        self._warned = False
        #: The seq of the first row of a writer that goes on from an earlier one.
        self._first_row = -1
        self._steps: StepMetrics | None = None
        self._shape = Shape([], -1)
        self._shapes: dict[tuple[str, ...], Shape] = {}
        #: Shapes whose last values lie in the segment.
        self._touched: list[Shape] = []
        #: Last values, but for those that only the segment holds.
        self._last = LastValues()
        #: Of the open row, what ``commit=False`` keeps out of the summary.
        self._held: dict[str, Any] = {}
        self._held_step = 0
        #: What marks the steps that the program said; 0 where nobody asks.
        self._said = 0

    @property
    def counter(self) -> int:
        """The step that the next row without one gets, or that of the open row."""
        return self.writer.counter

    def log(  # noqa: C901, PLR0912 - in one piece, since each call of another function can be measured
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Append one call of ``log()``.

        Raises:
            DataError: See :meth:`ValueEncoder.row`; nothing was recorded.
            DiskFullError: There is no room, and the policy is to raise.
        """
        latest = self._shape
        shape: Shape | None = latest
        try:
            payload = _encode(data)
            # The keys were looked at before. A row of their all-float length holds numbers and short values (see
            # _fold()), or else values that add up to a number, which nothing but numbers do: the fastest ways to know.
            known = [*data] == latest.keys and (len(payload) == latest.length or type(sum(data.values(), 0.0)) is float)
        except Exception:  # noqa: BLE001 - strange values may raise anything here; they are looked at below
            known = False
        if not known:
            shape, payload = self._checked(data)
        now = _time_ns() // 1000
        writer = self.writer
        if writer.claimed_by:
            self._log_claimed(shape, payload, now, data, step, commit)
            return
        writer.claimed_by = LOGGING
        claimed = writer
        try:
            order = claimed.order
            if step is None and (commit is None or commit is True) and claimed.open_step is None and shape is not None:
                position = claimed.append_row(order, _WHOLE, now, payload)
                if position > 0:
                    if not shape.position:
                        self._touched.append(shape)
                    shape.position = position
                if position < 0:
                    self._append(shape, payload, now, step, commit)
            else:
                self._append(shape, payload, now, step, commit)
        except Error:
            raise
        except Exception as error:  # noqa: BLE001 - whoever made this RowLog decides what becomes of it
            self._fail(error, data, step, commit)
        finally:
            writer.claimed_by = 0
        if sync is not None:
            self._warn("log(sync=...) is deprecated and does nothing")
        if now > self._tick_at:
            self._tick_at = now + _TICK_EVERY
            self._on_tick(now)

    def go_on(self, step: int, values: Iterable[tuple[Sequence[str], int, Any]] = (), *, again: bool = False) -> None:
        """Begin where an earlier writer stands; called before the first row.

        Args:
            step: The step of the first row that is logged without one.
            values: Last values so far: path, step and value of each.
            again: A first row at a lower step is not late: the rows begin again from there, as after a return to a
                checkpoint.
        """
        self.writer.counter = step
        if again:
            self._first_row = self.writer.next_row
        for path, at, value in values:
            self._last.take_late(nested(path, value), at)

    def mark_explicit_steps(self) -> None:
        """Mark the steps that the program says: the others are counted from where the run is once it is delivered."""
        self._said = Flag.EXPLICIT_STEP << 8

    def define(self, metric: Metric) -> None:
        """Follow a metric definition: the last value of a step metric is inserted into rows that lack it."""
        if self._steps is None:
            self._steps = StepMetrics()
        self._steps.define(metric)
        self._shape = Shape([], -1)

    def _log_claimed(  # noqa: PLR0917 - those of log()
        self,
        shape: Shape | None,
        payload: bytes,
        now: int,
        data: Any,
        step: int | None,
        commit: bool | None,  # noqa: FBT001
    ) -> None:
        """Append while another thread, or an interrupted call of this one, does."""
        try:
            with self.writer.claim():
                self._append(shape, payload, now, step, commit)
        except Error:
            raise
        except Exception as error:  # noqa: BLE001 - as in log()
            self._fail(error, data, step, commit)

    def _fail(self, error: Exception, data: Any, step: int | None, commit: bool | None) -> None:  # noqa: FBT001
        if self._on_error is None:
            raise error
        self._on_error(error, data, step, commit)

    def _append(
        self,
        shape: Shape | None,
        payload: bytes,
        now: int,
        step: int | None,
        commit: bool | None,  # noqa: FBT001
    ) -> None:
        writer = self.writer
        step = None if step is None else validate_step(step)
        commit = None if commit is None else validate_commit(commit)
        while True:
            order, rows = writer.order, writer.rows
            if step is not None and rows.next_row == self._first_row and 0 <= step < rows.counter:
                rows = rows._replace(counter=step)
            kind, seq, at, after, late, ends_open = place_row(rows, step, commit)
            if step is not None:
                kind |= self._said
            if ends_open:
                self._release()
            position = writer.append_part(order, kind, seq, at, now, payload, after)
            if position >= 0:
                break
        if late:
            self._take_late(position, payload, at, rows.counter)
            return
        if position > 0 and (shape is None or commit is False):
            merge(self._held, _decode(payload))
            self._held_step = at
        if commit is not False:
            self._release()
            if position > 0 and shape is not None:
                self._touch(shape, position)

    def _take_late(self, position: int, payload: bytes, step: int, counter: int) -> None:
        """Take the values of a late row, and say once that steps go backwards."""
        if position > 0:
            self._fold()
            self._last.take_late(_decode(payload), step)
        if not self._warned:
            self._warned = True
            self._warn(
                f"step {step} is lower than the current step {counter}: the row is kept, marked late, and later steps "
                "keep the last values (said once)"
            )

    def _touch(self, shape: Shape, position: int) -> None:
        """Note where the last values of a shape lie."""
        if not shape.position:
            self._touched.append(shape)
        shape.position = position

    def in_child(self, writer: SpoolWriter) -> RowLog:
        """Return the rows of a forked child: its steps and last values go on from here."""
        child = RowLog(
            writer,
            self.counter,
            on_tick=self._on_tick,
            on_error=self._on_error,
            warn=self._warn,
            encoder=self._encoder,
        )
        child._warned = self._warned
        self._fold()
        child._last = self._last.copy()
        child._steps = self._steps
        child._said = self._said
        return child

    def last_values(self) -> dict[str, Any]:
        """Return the last value of every key that was logged, nested as it was logged."""
        with self.writer.claim():
            self._fold()
            return self._last.values

    def _release(self) -> None:
        if self._held:
            self._fold()
            self._last.take(self._held, self._held_step)
            self._held = {}

    def _fold(self) -> None:
        """Take the last values out of the segment."""
        touched, self._touched = self._touched, []
        for shape in sorted(touched, key=lambda shape: shape.position):
            position, shape.position = shape.position, 0
            # A signal handler that logged meanwhile may have taken the segment away; a last value is not worth more.
            with contextlib.suppress(msgspec.DecodeError, ValueError, AttributeError):
                step, payload = self.writer.read(position)
                self._last.take(_decode(payload), step)

    def _checked(self, data: Any) -> tuple[Shape | None, bytes]:
        """Return the shape of a row, None for one that does not replace all its last values; and its msgpack."""
        if (shape := self._known(data)) is not None:
            with contextlib.suppress(Exception):  # strange values, as in log()
                if type(sum(data.values(), 0.0)) is float:
                    payload = _encode(data)
                    self._shape = shape
                    return shape, payload
        row = self._encoder.row(data)
        inserts = self._steps is not None and bool(missing := self._steps.missing(row))
        if inserts:
            self._insert(row, missing)
        payload = _encode(row)
        if any(value is None or type(value) is dict for value in row.values()):
            return None, payload
        keys = tuple(row)
        shape = self._shapes.get(keys)
        if shape is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self.last_values()
                self._shapes.clear()
            shape = self._shapes[keys] = Shape([*row], len(_encode(dict.fromkeys(row, 0.0))))
        if len(row) == len(data) > 0 and not inserts:
            self._shape = shape
        return shape, payload

    def _known(self, data: Any) -> Shape | None:
        """Return the shape of a row whose keys were looked at before, and that lacks no step metric."""
        return None if self._steps or type(data) is not dict else self._shapes.get(tuple(data))

    def _insert(self, row: dict[str, Any], missing: Iterable[str]) -> None:
        """Insert the last values of step metrics that a row lacks, of the open row before those of closed ones."""
        last = self.last_values()
        for name in missing:
            merge(row, found(self._held, name) or found(last, name))


#: Microseconds between two calls of ``on_tick``.
_TICK_EVERY = 1_000_000
#: Key lists that are remembered; a program that makes up new ones for ever must not fill the memory.
_MOST_SHAPES = 1000
