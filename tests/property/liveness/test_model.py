"""Properties of the liveness model, for any log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runstream_consumers.liveness.model import Changes, PartitionModel
from runstream_consumers.liveness.rules import Phase, State
from runstream_consumers.liveness.run import TrackedRun
from runstream_consumers.liveness.store import dump_details, restore_details
from runstream_consumers.liveness.writer import TrackedWriter
from runstream_schemas.events import ExitState, HeartbeatEvent, Kind
from tests.property.liveness.logs import (
    LIMITS,
    RUN,
    WRITERS,
    Placed,
    at_client_time,
    beat,
    configured,
    exited,
    folded,
    goodbye,
    heartbeats,
    is_signed,
    mixed,
    other_records,
    tick,
)
from tests.property.liveness.naive import naive, naive_states, naive_votes

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from runstream_schemas.topics import RunPath

_SHUFFLES = st.randoms(use_true_random=False)
_CHANCES = st.lists(st.floats(0, 1), min_size=6, max_size=6)


def writers_of(model: PartitionModel) -> dict[bytes, TrackedWriter]:
    """Return the writers of all runs."""
    return {name: writer for run in model.runs.values() for name, writer in run.writers.items()}


def phases(model: PartitionModel) -> dict[bytes, tuple[Phase, bool]]:
    """Return the phase of each writer that beats, and whether it is unreachable."""
    return {
        writer.id: (writer.phase, writer.unreachable)
        for writer in writers_of(model).values()
        if writer.phase not in (Phase.NO_BEAT, Phase.EXITED)
    }


def changes(model: PartitionModel) -> list[tuple[object, ...]]:
    """Return the recorded changes of state."""
    return [(change.run, change.writer, change.before, change.after) for change in model.changes.transitions]


@settings(max_examples=4 * settings().max_examples)
@given(heartbeats())
def test_model_agrees_with_a_simple_one(log: list[Placed]) -> None:
    """Each writer is in the phase that a check of all writers at each tick finds."""
    expected = {
        name: (Phase(writer.state), writer.cut_off and writer.on_the_clock)
        for name, writer in naive(log).items()
        if writer.state != "unheard"
    }
    assert expected == phases(folded(log))


@given(heartbeats(), other_records(), _CHANCES)
def test_heartbeats_alone_decide_for_writers_that_beat(
    log: list[Placed], others: list[Placed], chances: Sequence[float]
) -> None:
    """Exits and configs change nothing for a writer that beats, whenever they are read."""
    assert phases(folded(log)) == phases(folded(mixed(chances, log, others)))


@settings(max_examples=3 * settings().max_examples)
@given(heartbeats(), other_records(), _CHANCES)
def test_model_agrees_with_a_simple_one_on_all_topics(
    log: list[Placed], others: list[Placed], chances: Sequence[float]
) -> None:
    """With exits and configs read at any time, all writers have the states of the simple model."""
    found = folded(mixed(chances, log, others))
    assert naive_states(log, others) == {name: writer.state for name, writer in writers_of(found).items()}


@given(heartbeats(), other_records(), _CHANCES)
def test_votes_of_writers_that_beat_depend_on_heartbeats_only(
    log: list[Placed], others: list[Placed], chances: Sequence[float]
) -> None:
    """A vote that a heartbeat gives up does not return, whatever the exit contains and whenever it is read."""
    found = writers_of(folded(mixed(chances, log, others)))
    expected = naive_votes(log)
    assert expected == {name: found[name].vote.decides for name in expected}


@given(heartbeats(), _CHANCES, st.sampled_from(ExitState))
def test_an_exit_of_a_writer_that_beats_changes_no_state(
    log: list[Placed], chances: Sequence[float], state: ExitState
) -> None:
    """All states and transitions are those without the exit, whenever it is read."""
    known = [Placed(configured(writer), 900) for writer in WRITERS]
    exits = [Placed(exited(writer, state, beats=True), 900) for writer in WRITERS[: len(chances)]]
    without, with_exits = folded(known + log), folded(known + mixed(chances, log, exits))
    assert changes(without) == changes(with_exits)
    assert phases(without) == phases(with_exits)


@given(heartbeats(), _CHANCES)
def test_reported_ends_are_not_revoked(log: list[Placed], chances: Sequence[float]) -> None:
    """For a writer whose exit records that it beats, only a presumed end is ever revoked."""
    exits = [Placed(exited(writer, beats=True), 900) for writer in WRITERS[: len(chances)]]
    model = PartitionModel(LIMITS, is_signed)
    ended: set[bytes] = set()
    for placed in mixed(chances, log, exits):
        model.apply(placed.event, placed.time)
        found = {writer.id: writer for writer in writers_of(model).values() if writer.id != WRITERS[-1].id}
        assert not any(found[name].state in (State.PENDING, State.RUNNING, State.PREEMPTING) for name in ended)
        ended |= {name for name, writer in found.items() if writer.phase in (Phase.CLOSED, Phase.EXITED)}


@given(heartbeats(), other_records(), _CHANCES, _CHANCES)
def test_final_states_do_not_depend_on_the_interleaving_of_topics(
    log: list[Placed], others: list[Placed], chances: Sequence[float], other_chances: Sequence[float]
) -> None:
    """Writers and run end up in the same state, whichever topic was read first."""
    one, other = (folded(mixed(chance, log, others)) for chance in (chances, other_chances))
    assert one.runs == other.runs


@settings(max_examples=3 * settings().max_examples)
@given(heartbeats(), other_records(), _CHANCES, st.integers(0, 66))
def test_a_restart_anywhere_changes_nothing(
    log: list[Placed], others: list[Placed], chances: Sequence[float], place: int
) -> None:
    """A model that is stored and loaded continues as if it was not; runs without open writers are loaded later."""
    whole = mixed(chances, log, others)
    first = folded(whole[:place])
    again = PartitionModel(LIMITS, is_signed)
    again.clock = first.clock
    stored = [_stored(run) for run in first.runs.values()]
    again.restore([run for run in stored if run.index.running])
    for placed in whole[place:]:
        if placed.event.run not in again.runs:
            again.restore([run for run in stored if run.path == placed.event.run])
        again.apply(placed.event, placed.time)
    expected = folded(whole)
    assert expected.clock == again.clock
    assert {path: expected.runs[path] for path in again.runs} == again.runs


@given(heartbeats(), st.integers(0, 20_000))
def test_no_crash_without_enough_ticks(log: list[Placed], pause: int) -> None:
    """A writer is not presumed crashed before the limit of ticked time since its beat, however long it lasts."""
    model = folded([*log, Placed(beat(WRITERS[0], 999), 2_000)])
    assume(model.runs[RUN].writers[WRITERS[0].id].phase is Phase.RUNNING)
    before = model.clock.available
    number = model.clock.number
    while model.clock.available - before < LIMITS.crashed - LIMITS.gap:
        number += 1
        model.apply(tick(number), 2_000 + number * pause)
        assert model.runs[RUN].writers[WRITERS[0].id].phase is Phase.RUNNING
        if pause == 0:
            break


@given(heartbeats(), st.integers(1, 10**9))
def test_outage_adds_at_most_one_gap(log: list[Placed], length: int) -> None:
    """Between two ticks, however far apart, at most the gap becomes available."""
    model = folded(log)
    before = model.clock.available
    assume(model.clock.ticked is not None)
    model.apply(tick(model.clock.number + 1), (model.clock.ticked or 0) + length)
    assert min(length, LIMITS.gap) == model.clock.available - before


@given(heartbeats())
def test_silent_writer_is_presumed_crashed(log: list[Placed]) -> None:
    """After the limit and one more tick, a silent writer is presumed crashed unless many are silent."""
    model = folded(log)
    running = [writer for writer in writers_of(model).values() if writer.phase is Phase.RUNNING]
    assume(len({writer.run for writer in running}) < LIMITS.mass and not any(writer.unreachable for writer in running))
    start = model.clock.ticked or 0
    for second in range(LIMITS.crashed + 2):
        model.apply(tick(model.clock.number + 1), start + second)
    assert [Phase.PRESUMED for _ in running] == [writer.phase for writer in running]
    assert not model.is_open


@given(heartbeats(), _SHUFFLES)
def test_repeated_heartbeats_change_nothing(log: list[Placed], shuffle: random.Random) -> None:
    """A heartbeat that is repeated later changes neither writers nor the clock."""
    log = [placed for placed in log if not _is_refused(placed)]
    again = list(log)
    for placed in log:
        if shuffle.random() < 0.5:
            first = again.index(placed)
            again.insert(shuffle.randint(first + 1, len(again)), placed)
    one, other = folded(log), folded(again)
    assert phases(one) == phases(other)
    assert (one.clock.available, one.clock.number) == (other.clock.available, other.clock.number)


@given(heartbeats(), other_records(), _CHANCES, st.integers(0, 10**15))
def test_client_clocks_are_ignored(
    log: list[Placed], others: list[Placed], chances: Sequence[float], time: int
) -> None:
    """The client time of events has no effect."""
    whole = mixed(chances, log, others)
    shifted = folded([at_client_time(placed, time + number) for number, placed in enumerate(whole)])
    assert folded(whole).runs == shifted.runs


@given(heartbeats(), st.sampled_from([ExitState.CRASHED, ExitState.KILLED, ExitState.FAILED]))
def test_exits_do_not_revoke_a_presumed_crash(log: list[Placed], state: ExitState) -> None:
    """The exit of a writer that is presumed crashed changes nothing; its goodbye closes it."""
    model = folded(log)
    presumed = [writer for writer in writers_of(model).values() if writer.phase is Phase.PRESUMED]
    for writer in presumed:
        end = State.PREEMPTED if writer.preempting else State.CRASHED
        model.apply(exited(WRITERS[writer.id[0]], state), 3_000)
        assert (writer.phase, writer.state) == (Phase.PRESUMED, end)
        model.apply(goodbye(WRITERS[writer.id[0]], ExitState.CRASHED), 3_001)
        assert (writer.phase, writer.state) == (Phase.CLOSED, end)


@given(heartbeats(), other_records(), _CHANCES)
def test_marked_changes_are_complete(log: list[Placed], others: list[Placed], chances: Sequence[float]) -> None:
    """A store that writes only the marked changes after each event has everything in the end."""
    model = PartitionModel(LIMITS, is_signed)
    details: dict[bytes, str] = {}
    pulses: dict[bytes, tuple[int, ...]] = {}
    opened: dict[RunPath, bool] = {}
    for placed in mixed(chances, log, others):
        model.apply(placed.event, placed.time)
        details.update((writer.id, _details(writer)) for writer in model.changes.writers.values())
        pulses.update((writer.id, _pulse(writer)) for writer in model.changes.pulses.values())
        opened.update((path, bool(run.index.running)) for path, run in model.changes.runs.items())
        model.changes = Changes()
    assert {writer.id: _details(writer) for writer in writers_of(model).values()} == details
    assert {writer.id: _pulse(writer) for writer in writers_of(model).values()} == pulses
    assert {path: bool(run.index.running) for path, run in model.runs.items()} == opened


def _details(writer: TrackedWriter) -> str:
    return f"{writer.role} {writer.phase} {writer.first} {dump_details(writer)}"


def _pulse(writer: TrackedWriter) -> tuple[int, ...]:
    return writer.number, writer.heard, writer.last


def _is_refused(placed: Placed) -> bool:
    event = placed.event
    return isinstance(event, HeartbeatEvent) and event.kind is Kind.TICK and not is_signed(event)


def _stored(run: TrackedRun) -> TrackedRun:
    """Return a run as it is loaded from the tables."""
    found = TrackedRun(path=run.path, qualified_state=run.qualified_state)
    for writer in run.writers.values():
        columns = {name: getattr(writer, name) for name in ("run", "id", "role", "phase", "first", "last", "number")}
        found.writers[writer.id] = restore_details(TrackedWriter(**columns, heard=writer.heard), dump_details(writer))
    return found
