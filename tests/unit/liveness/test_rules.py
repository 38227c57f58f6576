"""The rules by which a run's state follows from its writers'."""

from __future__ import annotations

import pytest

from runstream_consumers.liveness.rules import (
    END_STATES,
    TRANSITIONS,
    Phase,
    Qualifier,
    State,
    Trigger,
    decide_run_state,
    end_state,
)
from runstream_consumers.liveness.writer import StateVote, TrackedWriter, describe_ending
from runstream_schemas.events import Ending, ExitState, Role
from runstream_schemas.topics import RunPath

RUN = RunPath(entity="team", project="digits", run_id="one")
_NONE: frozenset[Qualifier] = frozenset()


def writer(number: int, phase: Phase, *, role: Role = Role.PRIMARY, continues: int | None = None) -> TrackedWriter:
    """Return a writer whose first record was appended at the time of its number."""
    earlier = frozenset() if continues is None else frozenset({bytes([continues]) * 16})
    return TrackedWriter(run=RUN, id=bytes([number]) * 16, role=role, phase=phase, first=number, continues=earlier)


def closed(number: int, end: ExitState, *, role: Role = Role.PRIMARY, continues: int | None = None) -> TrackedWriter:
    """Return a writer that has said goodbye."""
    made = writer(number, Phase.CLOSED, role=role, continues=continues)
    made.goodbye = Ending(state=end)
    return made


def test_a_run_of_nobody_is_pending() -> None:
    """Without a writer that decides, nothing is known."""
    assert decide_run_state([]) == (State.PENDING, _NONE)
    assert decide_run_state([writer(1, Phase.RUNNING, role=Role.SHIPPER)]) == (State.PENDING, _NONE)
    assert decide_run_state([closed(1, ExitState.FAILED, role=Role.CHILD)]) == (State.PENDING, _NONE)


def test_the_newest_primary_decides() -> None:
    """A new primary reopens the run; one that was continued no longer decides, even when it was sent later."""
    ended = closed(1, ExitState.CRASHED)
    assert decide_run_state([ended, writer(2, Phase.NO_BEAT)]) == (State.PENDING, _NONE)
    assert decide_run_state([ended, closed(2, ExitState.FINISHED)]) == (State.FINISHED, _NONE)
    late = closed(9, ExitState.CRASHED)
    assert decide_run_state([late, closed(2, ExitState.FINISHED, continues=9)]) == (State.FINISHED, _NONE)


def test_a_primary_that_runs_makes_the_run_running() -> None:
    """Whatever others have come to; what all running ones share is said beside it."""
    stale, fresh = writer(1, Phase.RUNNING), writer(2, Phase.RUNNING)
    stale.stale = True
    assert decide_run_state([stale, closed(3, ExitState.FAILED)]) == (State.RUNNING, frozenset({Qualifier.STALE}))
    assert decide_run_state([stale, fresh]) == (State.RUNNING, _NONE)


def test_a_presumed_crash_says_so() -> None:
    """A crash that was concluded from silence carries its qualifier."""
    assert decide_run_state([writer(1, Phase.PRESUMED)]) == (State.CRASHED, frozenset({Qualifier.PRESUMED}))


def test_workers_decide_where_there_is_no_primary() -> None:
    """Running while one runs, then the worst end of all."""
    done = closed(1, ExitState.FINISHED, role=Role.WORKER)
    failed = closed(2, ExitState.FAILED, role=Role.WORKER)
    assert decide_run_state([done, writer(3, Phase.RUNNING, role=Role.WORKER)])[0] is State.RUNNING
    assert decide_run_state([done, failed, writer(3, Phase.NO_BEAT, role=Role.WORKER)])[0] is State.PENDING
    assert decide_run_state([done, failed])[0] is State.FAILED
    assert decide_run_state([done, failed, writer(3, Phase.PRESUMED, role=Role.WORKER)])[0] is State.CRASHED
    assert decide_run_state([done, closed(3, ExitState.CRASHED, role=Role.SHIPPER)])[0] is State.FINISHED
    assert decide_run_state([failed, closed(3, ExitState.FINISHED)])[0] is State.FINISHED


def without_say(made: TrackedWriter) -> TrackedWriter:
    """Return a writer that was heard to have no say."""
    made.heartbeat_vote = StateVote(decides=False)
    return made


def waiting(made: TrackedWriter) -> TrackedWriter:
    """Return a primary that was heard to wait for all."""
    made.heartbeat_vote = StateVote(waits_for_all=True)
    return made


def test_who_has_no_say_is_passed_over() -> None:
    """A writer without a say counts only while it runs and nobody has one."""
    done = closed(1, ExitState.FINISHED, role=Role.WORKER)
    aside = without_say(closed(2, ExitState.CRASHED, role=Role.WORKER))
    assert decide_run_state([done, aside])[0] is State.FINISHED
    assert decide_run_state([aside])[0] is State.PENDING
    assert decide_run_state([aside, without_say(writer(3, Phase.RUNNING))])[0] is State.RUNNING
    assert decide_run_state([without_say(closed(1, ExitState.FINISHED))])[0] is State.PENDING


def test_a_run_is_over_when_its_primary_says_so() -> None:
    """Workers that run on, or that failed, change nothing, unless the primary waits for all."""
    primary = closed(1, ExitState.FINISHED)
    running, failed = writer(2, Phase.RUNNING, role=Role.WORKER), closed(3, ExitState.FAILED, role=Role.WORKER)
    assert decide_run_state([primary, running, failed])[0] is State.FINISHED
    assert decide_run_state([waiting(primary), running, failed])[0] is State.RUNNING
    assert (
        decide_run_state([waiting(primary), closed(2, ExitState.FINISHED, role=Role.WORKER), failed])[0] is State.FAILED
    )
    assert decide_run_state([waiting(primary), without_say(failed)])[0] is State.FINISHED


def test_workers_of_an_earlier_attempt_do_not_count() -> None:
    """Where a primary waits for all, only the workers count that came with it, and those that still run."""
    first, second = waiting(closed(1, ExitState.CRASHED)), waiting(closed(10, ExitState.FINISHED, continues=1))
    early, late = closed(2, ExitState.CRASHED, role=Role.WORKER), closed(9, ExitState.FINISHED, role=Role.WORKER)
    assert decide_run_state([first, early])[0] is State.CRASHED
    assert decide_run_state([first, early, second, late])[0] is State.FINISHED
    still = writer(3, Phase.RUNNING, role=Role.WORKER)
    assert decide_run_state([first, early, second, late, still])[0] is State.RUNNING


def test_a_preempting_run_is_preempting_while_none_goes_on_without() -> None:
    """Preempting is shown where no writer that decides just runs; a resumed run runs again."""
    preempting = writer(1, Phase.RUNNING)
    preempting.preempting = True
    assert decide_run_state([preempting])[0] is State.PREEMPTING
    assert decide_run_state([preempting, writer(2, Phase.RUNNING)])[0] is State.RUNNING
    gone = closed(1, ExitState.CRASHED)
    gone.preempting = True
    assert decide_run_state([gone])[0] is State.PREEMPTED
    assert decide_run_state([gone, writer(2, Phase.RUNNING, continues=1)])[0] is State.RUNNING


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
def test_an_announced_preemption_explains_an_end_in_no_order(end: ExitState, shown: State) -> None:
    """Who finishes has finished, and who was told to stop was killed."""
    assert end_state(end, preempting=True) is shown


@pytest.mark.parametrize("signal", list(Trigger))
def test_closed_is_the_end(signal: Trigger) -> None:
    """Nothing leads out of the phase of a writer that has said goodbye."""
    assert (Phase.CLOSED, signal) not in TRANSITIONS


def test_only_beats_revive() -> None:
    """Whatever leads to running is a beat."""
    assert {signal for (_, signal), phase in TRANSITIONS.items() if phase is Phase.RUNNING} == {Trigger.BEAT}


def test_every_end_is_shown() -> None:
    """An end that is not known here is not taken for a good one."""
    assert set(END_STATES) == set(ExitState)
    assert END_STATES[ExitState.UNKNOWN] is State.CRASHED


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
    """The reason that was given, else the signal, else the exit code, else the bare state."""
    assert describe_ending(ending) == text
