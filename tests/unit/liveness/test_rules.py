"""How the state of a run follows from the states of its writers."""

from __future__ import annotations

import pytest

from runstream_consumers.liveness.rules import TRANSITIONS, Phase, QualifiedState, Qualifier, State, Trigger, end_state
from runstream_consumers.liveness.run import WriterIndex
from runstream_consumers.liveness.writer import StateVote, TrackedWriter, describe_ending
from runstream_schemas.events import Ending, ExitState, Role
from runstream_schemas.topics import RunPath

RUN = RunPath(entity="team", project="digits", run_id="one")
_NONE: frozenset[Qualifier] = frozenset()


def writer(number: int, phase: Phase, *, role: Role = Role.PRIMARY, continues: int | None = None) -> TrackedWriter:
    """Return a writer whose first record was appended at the time given by its number."""
    earlier = frozenset() if continues is None else frozenset({bytes([continues]) * 16})
    return TrackedWriter(run=RUN, id=bytes([number]) * 16, role=role, phase=phase, first=number, continues=earlier)


def closed(number: int, end: ExitState, *, role: Role = Role.PRIMARY, continues: int | None = None) -> TrackedWriter:
    """Return a writer that sent a goodbye."""
    made = writer(number, Phase.CLOSED, role=role, continues=continues)
    made.goodbye = Ending(state=end)
    return made


def state_of(writers: list[TrackedWriter]) -> QualifiedState:
    """Return the state of a run with these writers."""
    return WriterIndex(writers).state()


def test_run_without_deciding_writer_is_pending() -> None:
    """Without a deciding writer, the state of a run is pending."""
    assert state_of([]) == (State.PENDING, _NONE)
    assert state_of([writer(1, Phase.RUNNING, role=Role.SHIPPER)]) == (State.PENDING, _NONE)
    assert state_of([closed(1, ExitState.FAILED, role=Role.CHILD)]) == (State.PENDING, _NONE)


def test_newest_primary_decides() -> None:
    """A new primary reopens the run; a continued one no longer decides, even if it arrived later."""
    ended = closed(1, ExitState.CRASHED)
    assert state_of([ended, writer(2, Phase.NO_BEAT)]) == (State.PENDING, _NONE)
    assert state_of([ended, closed(2, ExitState.FINISHED)]) == (State.FINISHED, _NONE)
    late = closed(9, ExitState.CRASHED)
    assert state_of([late, closed(2, ExitState.FINISHED, continues=9)]) == (State.FINISHED, _NONE)


def test_running_primary_makes_the_run_running() -> None:
    """The ends of other writers are ignored; qualifiers of all running primaries are shown."""
    stale, fresh = writer(1, Phase.RUNNING), writer(2, Phase.RUNNING)
    stale.stale = True
    assert state_of([stale, closed(3, ExitState.FAILED)]) == (State.RUNNING, frozenset({Qualifier.STALE}))
    assert state_of([stale, fresh]) == (State.RUNNING, _NONE)


def test_presumed_crash_has_its_qualifier() -> None:
    """A crash concluded from silence is qualified as presumed."""
    assert state_of([writer(1, Phase.PRESUMED)]) == (State.CRASHED, frozenset({Qualifier.PRESUMED}))


def test_workers_decide_without_a_primary() -> None:
    """The run is running while one worker is, then it has the worst end."""
    done = closed(1, ExitState.FINISHED, role=Role.WORKER)
    failed = closed(2, ExitState.FAILED, role=Role.WORKER)
    assert state_of([done, writer(3, Phase.RUNNING, role=Role.WORKER)])[0] is State.RUNNING
    assert state_of([done, failed, writer(3, Phase.NO_BEAT, role=Role.WORKER)])[0] is State.PENDING
    assert state_of([done, failed])[0] is State.FAILED
    assert state_of([done, failed, writer(3, Phase.PRESUMED, role=Role.WORKER)])[0] is State.CRASHED
    assert state_of([done, closed(3, ExitState.CRASHED, role=Role.SHIPPER)])[0] is State.FINISHED
    assert state_of([failed, closed(3, ExitState.FINISHED)])[0] is State.FINISHED


def without_vote(made: TrackedWriter) -> TrackedWriter:
    """Return a writer without a vote."""
    made.heartbeat_vote = StateVote(decides=False)
    return made


def waiting(made: TrackedWriter) -> TrackedWriter:
    """Return a primary that waits for all."""
    made.heartbeat_vote = StateVote(waits_for_all=True)
    return made


def test_writers_without_a_vote_are_ignored() -> None:
    """A writer without a vote decides only while it runs and no writer has one."""
    done = closed(1, ExitState.FINISHED, role=Role.WORKER)
    aside = without_vote(closed(2, ExitState.CRASHED, role=Role.WORKER))
    assert state_of([done, aside])[0] is State.FINISHED
    assert state_of([aside])[0] is State.PENDING
    assert state_of([aside, without_vote(writer(3, Phase.RUNNING))])[0] is State.RUNNING
    assert state_of([without_vote(closed(1, ExitState.FINISHED))])[0] is State.PENDING


def test_run_ends_with_its_primary() -> None:
    """Running or failed workers change nothing unless the primary waits for all."""
    primary = closed(1, ExitState.FINISHED)
    running, failed = writer(2, Phase.RUNNING, role=Role.WORKER), closed(3, ExitState.FAILED, role=Role.WORKER)
    assert state_of([primary, running, failed])[0] is State.FINISHED
    assert state_of([waiting(primary), running, failed])[0] is State.RUNNING
    assert state_of([waiting(primary), closed(2, ExitState.FINISHED, role=Role.WORKER), failed])[0] is State.FAILED
    assert state_of([waiting(primary), without_vote(failed)])[0] is State.FINISHED


def test_workers_of_an_earlier_attempt_are_ignored() -> None:
    """If a primary waits for all, only the workers of its attempt decide, and those that still run."""
    first, second = waiting(closed(1, ExitState.CRASHED)), waiting(closed(10, ExitState.FINISHED, continues=1))
    early, late = closed(2, ExitState.CRASHED, role=Role.WORKER), closed(9, ExitState.FINISHED, role=Role.WORKER)
    assert state_of([first, early])[0] is State.CRASHED
    assert state_of([first, early, second, late])[0] is State.FINISHED
    still = writer(3, Phase.RUNNING, role=Role.WORKER)
    assert state_of([first, early, second, late, still])[0] is State.RUNNING


def test_run_is_preempting_unless_another_primary_runs() -> None:
    """A run is preempting if no deciding writer is running; a resumed run is running again."""
    preempting = writer(1, Phase.RUNNING)
    preempting.preempting = True
    assert state_of([preempting])[0] is State.PREEMPTING
    assert state_of([preempting, writer(2, Phase.RUNNING)])[0] is State.RUNNING
    gone = closed(1, ExitState.CRASHED)
    gone.preempting = True
    assert state_of([gone])[0] is State.PREEMPTED
    assert state_of([gone, writer(2, Phase.RUNNING, continues=1)])[0] is State.RUNNING


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        (ExitState.FINISHED, State.FINISHED),
        (ExitState.FAILED, State.PREEMPTED),
        (ExitState.CRASHED, State.PREEMPTED),
        (ExitState.UNKNOWN, State.PREEMPTED),
        (ExitState.KILLED, State.KILLED),
    ],
)
def test_announced_preemption_replaces_crashed_and_failed(end: ExitState, shown: State) -> None:
    """Finished and killed writers keep their states."""
    assert end_state(end, preempting=True) is shown


@pytest.mark.parametrize("signal", list(Trigger))
def test_closed_phase_is_final(signal: Trigger) -> None:
    """No trigger changes the phase of a writer after its goodbye."""
    assert (Phase.CLOSED, signal) not in TRANSITIONS


def test_only_beats_lead_to_running() -> None:
    """Every transition to running is caused by a beat."""
    assert {signal for (_, signal), phase in TRANSITIONS.items() if phase is Phase.RUNNING} == {Trigger.BEAT}


def test_every_reported_end_has_a_state() -> None:
    """The state has the name of the end; an unknown end is not treated as a successful one."""
    states = {end: end_state(end, preempting=False) for end in ExitState}
    assert states.pop(ExitState.UNKNOWN) is State.CRASHED
    assert all(state.value == end.value for end, state in states.items())


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending(state=ExitState.FAILED, reason="ValueError: no"), "ValueError: no"),
        (Ending(state=ExitState.CRASHED, signal=9), "signal 9"),
        (Ending(state=ExitState.CRASHED, signal=-1), "signal unknown"),
        (Ending(state=ExitState.FAILED, exit_code=3), "exit code 3"),
        (Ending(state=ExitState.FINISHED), "finished"),
        (None, ""),
    ],
)
def test_ends_are_described(ending: Ending | None, text: str) -> None:
    """The text is the reason, otherwise the signal, the exit code, or the state."""
    assert describe_ending(ending) == text
