"""The effective state of a run between its end and the arrival of all counted records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.api.documents.delivery_report import delivery_report
from runstream_consumers.api.documents.effective_state import WAITED_US, effective_state
from runstream_consumers.api.polling_pace import PollingPace
from runstream_consumers.liveness.reader import RunState, WriterState
from runstream_consumers.runtime.postgres.reader import WriterProgress
from runstream_schemas.events import Role
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

_ONE, _TWO = b"\x01" * 16, b"\x02" * 16
_ENDED_AT = 1_000_000


def _writer(*, rows: int | None, id_: bytes = _ONE, role: Role = Role.PRIMARY) -> WriterState:
    return WriterState(
        writer=id_,
        role=role.value,
        state="finished",
        qualifiers=[],
        last_time=_ENDED_AT,
        host="",
        label="",
        exit_code=0,
        signal=0,
        reason="",
        counts=None if rows is None else {Topic.LOG.value: rows},
    )


def _stored(rows: int, holes: Sequence[tuple[int, int]] = (), writer: bytes = _ONE) -> WriterProgress:
    return WriterProgress(sink="history", writer=writer, topic=Topic.LOG, next=rows, holes=list(holes))


def _effective(
    writers: list[WriterState], progress: list[WriterProgress], *, state: str = "failed", later: int = 0
) -> tuple[str, list[str]]:
    known = RunState(state=state, qualifiers=[], writers=writers)
    shown = effective_state(known, delivery_report(writers, progress), now=_ENDED_AT + later)
    return shown.state, shown.qualifiers


def test_end_is_shown_once_all_counted_records_are_stored() -> None:
    """Until then the run is shown as running and finishing."""
    assert _effective([_writer(rows=10)], [_stored(9)]) == ("running", ["finishing"])
    assert _effective([_writer(rows=10)], [_stored(10, [(3, 4)])]) == ("running", ["finishing"])
    assert _effective([_writer(rows=10)], [_stored(10)]) == ("failed", [])


def test_end_is_shown_as_incomplete_after_the_deadline() -> None:
    """Records that do not arrive in time make the end incomplete."""
    assert _effective([_writer(rows=10)], [_stored(9)], later=WAITED_US) == ("failed", ["incomplete"])


def test_end_without_counts_is_shown_at_once() -> None:
    """A writer that is presumed crashed has no counts to wait for."""
    assert _effective([_writer(rows=None)], [_stored(10, [(3, 4)])], state="crashed") == ("crashed", [])


def test_only_primary_and_workers_delay_the_end() -> None:
    """Missing rows of shippers and children do not delay the end of the run."""
    shipper = _writer(rows=5, id_=_TWO, role=Role.SHIPPER)
    assert _effective([_writer(rows=1), shipper], [_stored(1)]) == ("failed", [])
    worker = _writer(rows=5, id_=_TWO, role=Role.WORKER)
    assert _effective([_writer(rows=1), worker], [_stored(1)]) == ("running", ["finishing"])


def test_polling_interval_grows_with_the_number_of_clients() -> None:
    """The interval grows up to a limit, and shrinks after clients have left."""
    pace = PollingPace(rate=10, shortest=1, longest=15)
    assert [pace.interval(client, now=100) for client in (*range(5), 0)] == [1] * 6
    assert [pace.interval(client, now=101) for client in range(100)][-1] == 10
    assert pace.interval(0, now=116) == 10
    assert [pace.interval(client, now=117) for client in range(1000)][-1] == 15
    assert pace.interval(0, now=160) == 1
