"""Properties of the state of a run, which is decided without looking at all of its writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.liveness.rules import Phase
from runstream_consumers.liveness.run import WriterIndex
from runstream_consumers.liveness.writer import StateVote, TrackedWriter
from runstream_schemas.events import Ending, ExitState, Role
from tests.property.liveness.logs import RUN
from tests.property.liveness.naive import naive_run_state

if TYPE_CHECKING:
    import random

_NAMES = [bytes([number]) * 16 for number in range(8)]
_ROLES = (Role.PRIMARY, Role.PRIMARY, Role.PRIMARY, Role.PRIMARY, Role.WORKER, Role.WORKER, Role.WORKER, Role.CHILD)


def change(writer: TrackedWriter, draw: random.Random) -> None:
    """Change some of the fields of a writer in any way."""
    writer.phase = draw.choice(list(Phase))
    writer.goodbye = writer.exit = Ending(state=draw.choice(list(ExitState)))
    writer.stale, writer.unreachable, writer.preempting = (draw.random() < 0.3 for _ in range(3))
    writer.first = draw.randrange(12)
    writer.heartbeat_vote, writer.exit_vote = (
        StateVote(decides=draw.random() < 0.8, waits_for_all=draw.random() < 0.7) for _ in range(2)
    )
    writer.ended, writer.clock_offset = max(writer.ended, draw.randrange(9)), draw.choice([None, 0, -7, 5, 7])
    writer.clock_ahead = max(writer.clock_ahead, draw.randrange(9))
    if draw.random() < 0.3:
        writer.continues |= frozenset(draw.choices(_NAMES, k=2))


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_indexed_writers_decide_as_all_writers_do(draw: random.Random, steps: int) -> None:
    """After any changes the state, the end and the clock of a run are those that a look at all writers finds."""
    index = WriterIndex()
    writers: dict[bytes, TrackedWriter] = {}
    for _ in range(steps):
        number = draw.randrange(len(_NAMES))
        writer = writers.setdefault(_NAMES[number], TrackedWriter(run=RUN, id=_NAMES[number], role=_ROLES[number]))
        change(writer, draw)
        index.update(writer)
        assert index.state() == naive_run_state(writers.values())
        assert bool(index.running) == any(one.phase is Phase.RUNNING for one in writers.values())
        processes = [one for one in writers.values() if one.role in {Role.PRIMARY, Role.WORKER}]
        offsets = [one.clock_ahead if one.clock_offset is None else one.clock_offset for one in processes]
        greatest = max(offsets, key=lambda offset: (abs(offset), offset), default=None)
        assert (index.ended, index.clock_offset) == (max([0, *(one.ended for one in processes)]), greatest or None)
    assert WriterIndex(writers.values()).state() == index.state()
