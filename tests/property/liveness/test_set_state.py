"""Properties of states that commands set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.liveness.model import PartitionModel
from runstream_consumers.liveness.run import SetState, TrackedRun
from runstream_consumers.liveness.store import restored_set_state, set_state_text
from runstream_schemas import events, values
from runstream_schemas.attributes import SETTABLE_STATES, STATE_SET
from runstream_schemas.events import Role, RunState
from runstream_schemas.topics import RunPath, Topic
from tests.property.liveness.logs import (
    LIMITS,
    RUN,
    WRITERS,
    Placed,
    folded,
    heartbeats,
    is_signed,
    mixed,
    other_records,
)
from tests.property.liveness.naive import naive_run_state

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROCESSES = frozenset({Role.PRIMARY, Role.WORKER})
_NAMES = [writer.id for writer in WRITERS]
_CHANCES = st.lists(st.floats(0, 1), min_size=10, max_size=10)


def command(number: int, value: object, run: RunPath = RUN, role: Role = Role.COMMAND) -> events.ChangeEvent:
    """Return the command that sets the state of a run."""
    writer = events.Writer(id=bytes([100 + number]) * 16, role=role)
    entry = events.Entry(
        op=events.Operation.SET, path=(STATE_SET,), value=values.dump(value), scope=events.Scope.ATTRIBUTE
    )
    return events.ChangeEvent(
        header=events.Header(kind=events.Kind.DATA, run=run, writer=writer, time=0, seq=0, count=1),
        topic=Topic.CONFIG,
        principal="ada",
        records=(events.Record(order=0, time=0, entries=(entry,)),),
    )


@st.composite
def commands(draw: st.DrawFn) -> list[Placed]:
    """Draw commands to the first run, of which some are not valid and change nothing."""
    known = st.lists(st.sampled_from(_NAMES), max_size=4).map(lambda names: [name.hex() for name in names])
    valid = st.fixed_dictionaries({"state": st.sampled_from(sorted(SETTABLE_STATES)), "writers": known})
    invalid = st.sampled_from(["failed", None, {"state": "crashed", "writers": []}, {"state": "failed"}, [1]])
    given_values = draw(st.lists(st.one_of(valid, valid, valid, invalid), max_size=4))
    return [Placed(command(number, value), 1_000) for number, value in enumerate(given_values)]


def in_force(log: Sequence[Placed]) -> tuple[RunState, frozenset[bytes]] | None:
    """Return the last state that a valid command of a log sets, with the writers that it names."""
    found = None
    for placed in log:
        event = placed.event
        if not isinstance(event, events.ChangeEvent) or event.writer.role is not Role.COMMAND:
            continue
        value = values.load(event.records[0].entries[0].value)
        if isinstance(value, dict) and value.get("state") in SETTABLE_STATES and "writers" in value:
            found = RunState(value["state"]), frozenset(map(bytes.fromhex, value["writers"]))
    return found


@given(heartbeats(), other_records(), commands(), _CHANCES)
def test_a_set_state_holds_against_the_writers_that_it_names(
    log: list[Placed], others: list[Placed], given_commands: list[Placed], chances: Sequence[float]
) -> None:
    """Whatever these do, beat for example, the state holds until another process writes; that one decides by itself."""
    whole = mixed(chances, log, [*others, *given_commands])
    found = folded(whole)
    run = found.runs.get(RUN)
    if run is None:
        return
    state, known = in_force(whole) or (None, frozenset())
    processes = [one for one in run.writers.values() if one.role in _PROCESSES and one.id not in known]
    if state is None or processes:
        assert run.qualified_state == naive_run_state(processes)
    else:
        assert run.qualified_state == (state, frozenset())


@given(heartbeats(), other_records(), commands(), _CHANCES, _CHANCES)
def test_final_states_do_not_depend_on_the_interleaving_of_topics(
    log: list[Placed],
    others: list[Placed],
    given_commands: list[Placed],
    chances: Sequence[float],
    other_chances: Sequence[float],
) -> None:
    """With commands, too, a run ends up in the same state, whichever topic was read first."""
    records = [*others, *given_commands]
    one, other = (folded(mixed(chance, log, records)) for chance in (chances, other_chances))
    assert one.runs == other.runs


@given(heartbeats(), commands())
def test_a_run_without_processes_never_crashes(log: list[Placed], given_commands: list[Placed]) -> None:
    """A run that was only created keeps its state, however long it is silent."""
    elsewhere = [placed for placed in log if placed.event.run != RUN]
    model = folded([*given_commands, *elsewhere])
    expected = in_force(given_commands)
    if expected is None:
        assert RUN not in model.runs
    else:
        assert model.runs[RUN].qualified_state == (expected[0], frozenset())


def test_only_commands_set_states() -> None:
    """The same attribute of a process is ignored, and what is stored of a set state is read back."""
    model = PartitionModel(LIMITS, is_signed)
    value = {"state": "failed", "writers": [_NAMES[0].hex(), "not a writer", 7]}
    model.apply(command(0, value, role=Role.PRIMARY), 1_000)
    assert model.runs[RUN].set_state is None
    model.apply(command(1, value), 1_001)
    given_state = model.runs[RUN].set_state
    assert given_state == SetState(RunState.FAILED, frozenset({_NAMES[0]}))
    assert restored_set_state(set_state_text(given_state)) == given_state
    assert restored_set_state(set_state_text(None)) is None
    assert TrackedRun(path=RUN).set_state is None
