"""What a run is shown as between its end and the arrival of all that its end counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.api.documents.delivery import delivery
from runstream_consumers.api.documents.effective_state import WAITED_US, settled
from runstream_consumers.api.polling_pace import Pace
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


def _shown(
    writers: list[WriterState], progress: list[WriterProgress], *, state: str = "failed", later: int = 0
) -> tuple[str, list[str]]:
    known = RunState(state=state, qualifiers=[], writers=writers)
    shown = settled(known, delivery(writers, progress), now=_ENDED_AT + later)
    return shown.state, shown.qualifiers


def test_an_end_is_shown_once_all_is_stored_that_it_counted() -> None:
    """Till then the run goes on, for whoever waits for its end, and is finishing."""
    assert _shown([_writer(rows=10)], [_stored(9)]) == ("running", ["finishing"])
    assert _shown([_writer(rows=10)], [_stored(10, [(3, 4)])]) == ("running", ["finishing"])
    assert _shown([_writer(rows=10)], [_stored(10)]) == ("failed", [])


def test_what_never_comes_is_not_waited_for_for_ever() -> None:
    """After a while the end is shown, as incomplete."""
    assert _shown([_writer(rows=10)], [_stored(9)], later=WAITED_US) == ("failed", ["incomplete"])


def test_an_end_that_counted_nothing_is_shown_at_once() -> None:
    """Of a writer that is presumed crashed nobody knows how much there is."""
    assert _shown([_writer(rows=None)], [_stored(10, [(3, 4)])], state="crashed") == ("crashed", [])


def test_only_the_writers_that_may_decide_are_waited_for() -> None:
    """The rows of shippers and forked children come when they come."""
    shipper = _writer(rows=5, id_=_TWO, role=Role.SHIPPER)
    assert _shown([_writer(rows=1), shipper], [_stored(1)]) == ("failed", [])
    worker = _writer(rows=5, id_=_TWO, role=Role.WORKER)
    assert _shown([_writer(rows=1), worker], [_stored(1)]) == ("running", ["finishing"])


def test_few_ask_once_a_second_and_many_less_often() -> None:
    """The interval grows with the number of those who ask, up to a limit, and shrinks once they are gone."""
    pace = Pace(rate=10, shortest=1, longest=15)
    assert [pace.ask(who, now=100) for who in (*range(5), 0)] == [1] * 6
    assert [pace.ask(who, now=101) for who in range(100)][-1] == 10
    assert pace.ask(0, now=116) == 10
    assert [pace.ask(who, now=117) for who in range(1000)][-1] == 15
    assert pace.ask(0, now=160) == 1
