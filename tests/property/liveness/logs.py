"""Random records of one partition: valid and forged ticks, and events of the writers of one run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from runstream_consumers.liveness.clock import Thresholds
from runstream_consumers.liveness.model import PartitionModel
from runstream_schemas import events
from runstream_schemas.topics import RunPath, Topic
from tests.events import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RUN = RunPath(entity="team", project="digits", run_id="one")
#: Small numbers in place of seconds, so that short logs cross every threshold.
LIMITS = Thresholds(gap=3, stale=4, crashed=10, together=2, unreachable=30, mass=3, share=0.3)

_ROLES = (
    events.Role.PRIMARY,
    events.Role.PRIMARY,
    events.Role.WORKER,
    events.Role.WORKER,
    events.Role.CHILD,
    events.Role.SHIPPER,
    events.Role.PRIMARY,
)
WRITERS = [events.Writer(id=bytes([number]) * 16, role=role) for number, role in enumerate(_ROLES)]
#: The first two writers are of one run, the next two of another, and the others of a separate run each.
_RUN_NUMBERS = (0, 0, 1, 1, 2, 3, 4)
RUNS = [RUN, *(RunPath(entity="team", project="digits", run_id=f"run {number}") for number in range(1, 5))]
_RUNS = {writer.id: RUNS[number] for writer, number in zip(WRITERS, _RUN_NUMBERS, strict=True)}
_SIGNED = b"signed"
#: Numbers of open and of silent runs in ticks.
_COUNTS = st.sampled_from([(0, 0), (0, 0), (20, 2), (20, 6), (3, 3)])


@dataclass(frozen=True, slots=True)
class Placed:
    """An event and its append time."""

    event: events.Event
    time: int


def is_signed(event: events.HeartbeatEvent) -> bool:
    """Return whether an event has the signature of these tests."""
    return event.signature == _SIGNED


def folded(log: Iterable[Placed]) -> PartitionModel:
    """Return the model after applying a log."""
    model = PartitionModel(LIMITS, is_signed)
    for placed in log:
        model.apply(placed.event, placed.time)
    return model


def run_of(writer: events.Writer) -> RunPath:
    """Return the run of a writer; the first run for an unknown writer."""
    return _RUNS.get(writer.id, RUN)


def tick(number: int, *, signed: bool = True, counts: tuple[int, int] = (0, 0)) -> events.HeartbeatEvent:
    """Return a tick with the numbers of open and of silent runs of all partitions."""
    no_writer = events.Writer(id=bytes(16), role=events.Role.COMMAND)
    no_run = RunPath(entity="", project="", run_id="")
    signature = _SIGNED if signed else b""
    return events.HeartbeatEvent(
        header=events.Header(kind=events.Kind.TICK, run=no_run, writer=no_writer, time=0),
        number=number,
        signature=signature,
        open_runs=counts[0],
        silent_runs=counts[1],
    )


def beat(
    writer: events.Writer, number: int, *, alive: bool = True, preempting: bool = False, decides: bool = True
) -> events.HeartbeatEvent:
    """Return a beat."""
    return events.HeartbeatEvent(
        header=events.Header(kind=events.Kind.BEAT, run=run_of(writer), writer=writer, time=0),
        number=number,
        trainer_alive=alive,
        preempting=preempting,
        decides=decides,
    )


def goodbye(
    writer: events.Writer, state: events.ExitState = events.ExitState.FINISHED, *, decides: bool = True
) -> events.HeartbeatEvent:
    """Return a goodbye."""
    ending = events.Ending(state=state)
    return events.HeartbeatEvent(
        header=events.Header(kind=events.Kind.GOODBYE, run=run_of(writer), writer=writer, time=0),
        ending=ending,
        decides=decides,
    )


def exited(
    writer: events.Writer,
    state: events.ExitState = events.ExitState.FINISHED,
    *,
    beats: bool = False,
    decides: bool = True,
) -> events.ExitEvent:
    """Return an exit of a writer, which has sent beats or not."""
    ending = events.Ending(state=state)
    return events.ExitEvent(
        header=events.Header(kind=events.Kind.DATA, run=run_of(writer), writer=writer, time=0, order=0),
        beats=beats,
        ending=ending,
        decides=decides,
    )


def configured(writer: events.Writer) -> events.ChangeEvent:
    """Return a record of config."""
    records = (events.Record(order=0, time=0, entries=()),)
    return events.ChangeEvent(
        header=events.Header(kind=events.Kind.DATA, run=run_of(writer), writer=writer, time=0, seq=0, count=1),
        topic=Topic.CONFIG,
        records=records,
    )


def at_client_time(placed: Placed, time: int) -> Placed:
    """Return the event with another time of its writer's clock."""
    return replace(placed, event=changed(placed.event, time=time))


@st.composite
def heartbeats(draw: st.DrawFn) -> list[Placed]:
    """Draw a log of the topic ``heartbeat``: numbers may repeat, clocks may move backwards, ticks may be forged."""
    time = 1_000
    ticks = 0
    log = [Placed(beat(writer, 0), time) for writer in WRITERS if draw(st.booleans())]
    for _ in range(draw(st.integers(0, 30))):
        if draw(st.booleans()):
            for _ in range(draw(st.sampled_from([1, 1, 2, 3, 6]))):
                ticks += 1
                time += draw(st.sampled_from([1, 2, 3, 20, -5]))
                log.append(Placed(tick(ticks, counts=draw(_COUNTS)), time))
        else:
            time += draw(st.sampled_from([0, 1, 20]))
            log.append(Placed(draw(_heartbeat(ticks)), time))
    return log


@st.composite
def _heartbeat(draw: st.DrawFn, ticks: int) -> events.HeartbeatEvent:
    writer = draw(st.sampled_from([WRITERS[0], WRITERS[0], *WRITERS]))
    match draw(st.sampled_from(["beat", "beat", "beat", "beat", "forged", "old", "goodbye"])):
        case "old":
            return tick(draw(st.integers(0, ticks)))
        case "forged":
            return tick(ticks + 100, signed=False)
        case "goodbye":
            return goodbye(writer, draw(st.sampled_from(list(events.ExitState))), decides=draw(st.booleans()))
        case _:
            return beat(
                writer,
                draw(st.integers(0, 12) | st.integers(0, 99)),
                alive=draw(st.integers(0, 3)) > 0,
                preempting=draw(st.integers(0, 3)) == 0,
                decides=draw(st.integers(0, 3)) > 0,
            )


@st.composite
def other_records(draw: st.DrawFn) -> list[Placed]:
    """Draw records of ``exit`` and ``config``."""
    writers = st.sampled_from(WRITERS)
    exits = st.builds(exited, writers, st.sampled_from(events.ExitState), beats=st.booleans(), decides=st.booleans())
    exit_or_config = st.one_of(exits, writers.map(configured))
    return [Placed(draw(exit_or_config), draw(st.integers(900, 1_100))) for _ in range(draw(st.integers(0, 6)))]


def mixed(chances: Sequence[float], heartbeat: Sequence[Placed], others: Sequence[Placed]) -> list[Placed]:
    """Return a log in which the other records are inserted between the heartbeats, each topic in order."""
    placed_at: list[tuple[int, Placed]] = []
    for topic in (Topic.EXIT, Topic.CONFIG):
        of_topic = [
            (placed, chance) for placed, chance in zip(others, chances, strict=False) if topic_of(placed) is topic
        ]
        places = sorted(round(chance * len(heartbeat)) for _, chance in of_topic)
        placed_at += zip(places, (placed for placed, _ in of_topic), strict=True)
    log = list(heartbeat)
    for shift, (place, placed) in enumerate(sorted(placed_at, key=lambda item: item[0])):
        log.insert(place + shift, placed)
    return log


def topic_of(placed: Placed) -> Topic:
    """Return the topic of an event."""
    return placed.event.topic
