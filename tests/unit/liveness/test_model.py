"""The clock, the guard against mass crashes, and the records of changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runstream_consumers.liveness.clock import Clock, Thresholds
from runstream_consumers.liveness.model import PartitionModel
from runstream_consumers.liveness.rules import Phase, State
from runstream_consumers.liveness.run_counts import RunCounts
from runstream_consumers.liveness.ticker import is_signed, sign
from runstream_schemas import events, values
from runstream_schemas.topics import RunPath
from tests.events import changed
from tests.property.liveness.logs import RUN, beat, configured, goodbye, tick
from tests.property.liveness.logs import is_signed as is_marked

SECOND = 1_000_000
DEFAULTS = Thresholds.from_seconds(tick=5, stale=60, crashed=300)
#: Of many runs, so that few of them crash.
LIMITS = replace(DEFAULTS, mass=20)


def writers(count: int) -> list[events.Writer]:
    """Return the given number of primary writers."""
    return [events.Writer(id=number.to_bytes(16, "big"), role=events.Role.PRIMARY) for number in range(1, count + 1)]


def run_of(writer: events.Writer) -> RunPath:
    """Return a separate run for a writer."""
    return RunPath(entity="team", project="digits", run_id=writer.id.hex())


class Broker:
    """Appends to the partition of a model with its own clock."""

    def __init__(self, limits: Thresholds = LIMITS) -> None:
        self.model = PartitionModel(limits, is_marked)
        self.time = 1_700_000_000 * SECOND
        self.ticks = 0

    def beats(self, *writers: events.Writer, number: int) -> None:
        """Append a beat of each writer, each of a separate run."""
        for writer in writers:
            self.model.apply(changed(beat(writer, number), run=run_of(writer)), self.time)

    def ticks_for(self, seconds: float, counts: tuple[int, int] = (0, 0)) -> None:
        """Advance time, with a tick every five seconds that has these counts."""
        for _ in range(round(seconds / 5)):
            self.time += 5 * SECOND
            self.ticks += 1
            self.model.apply(tick(self.ticks, counts=counts), self.time)

    def phases(self, *writers: events.Writer) -> set[tuple[Phase, bool]]:
        """Return the phases of writers, and whether they are regarded as unreachable."""
        found = [self.model.runs[run_of(writer)].writers[writer.id] for writer in writers]
        return {(writer.phase, writer.unreachable) for writer in found}


def test_default_thresholds_follow_from_the_limit_of_silence() -> None:
    """The window of the mass guard and the limit for unreachable writers are derived from the limit of silence."""
    assert Thresholds() == DEFAULTS


def test_clock_adds_time_between_ticks_up_to_the_gap() -> None:
    """The first tick starts it, an outage adds one gap, and a clock that moves backwards adds nothing."""
    clock = Clock()
    for time in (1000, 1005, 9000, 8000, 9001):
        clock.tick(time, gap=15)
    assert (clock.available, clock.ticked) == (5 + 15 + 1, 9001)


def test_many_silent_runs_are_unreachable_before_they_are_crashed() -> None:
    """Twenty of sixty runs within a minute do not crash for half an hour; a beat makes each reachable again."""
    broker = Broker()
    silent, loud = writers(60)[:20], writers(60)[20:]
    broker.beats(*silent[:10], number=1)
    broker.ticks_for(50)
    broker.beats(*silent[10:], *loud, number=1)
    for number in range(2, 20):
        broker.ticks_for(15)
        broker.beats(*loud, number=number)
    assert broker.phases(*silent) == {(Phase.RUNNING, True)}
    assert broker.phases(*loud) == {(Phase.RUNNING, False)}
    broker.beats(silent[0], number=99)
    assert broker.phases(silent[0]) == {(Phase.RUNNING, False)}
    for number in range(20, 130):
        broker.ticks_for(15)
        broker.beats(*loud, silent[0], number=number + 100)
    assert broker.phases(*silent[1:]) == {(Phase.PRESUMED, False)}


def test_few_silent_runs_crash() -> None:
    """Nineteen of sixty runs, or twenty of a hundred, are presumed crashed."""
    for silent_count, count in ((19, 60), (20, 100)):
        broker = Broker()
        everyone = writers(count)
        broker.beats(*everyone, number=1)
        for number in range(2, 24):
            broker.ticks_for(15)
            broker.beats(*everyone[silent_count:], number=number)
        assert broker.phases(*everyone[:silent_count]) == {(Phase.PRESUMED, False)}


class Stack:
    """Eight partitions with a clock each; their ticks have the counts of all, which lag by a tick."""

    def __init__(self) -> None:
        self.partitions = [Broker(DEFAULTS) for _ in range(8)]
        self.counts = (0, 0)

    def beats(self, *writers: events.Writer, number: int) -> None:
        """Append a beat of each writer, each of a separate run, to its partition."""
        for writer in writers:
            self._partition(writer).beats(writer, number=number)

    def ticks_for(self, seconds: float) -> None:
        """Advance time, with a tick of each partition every five seconds."""
        for _ in range(round(seconds / 5)):
            for partition in self.partitions:
                partition.ticks_for(5, self.counts)
            shortest, longest = DEFAULTS.silent_together
            silences = [
                partition.model.clock.available - writer.heard
                for partition in self.partitions
                for run in partition.model.runs.values()
                for writer in run.writers.values()
                if writer.phase is Phase.RUNNING
            ]
            self.counts = len(silences), sum(shortest <= silence < longest for silence in silences)

    def phases(self, *writers: events.Writer) -> set[tuple[Phase, bool]]:
        """Return the phases of writers, and whether they are regarded as unreachable."""
        return {phase for writer in writers for phase in self._partition(writer).phases(writer)}

    def _partition(self, writer: events.Writer) -> Broker:
        return self.partitions[int.from_bytes(writer.id, "big") % len(self.partitions)]


@pytest.mark.parametrize("count", [3, 24, 1000])
def test_runs_of_all_partitions_that_fall_silent_together_are_unreachable(count: int) -> None:
    """All runs of a stack stop within a heartbeat interval: none crashes, however few are in a partition."""
    stack, everyone = Stack(), writers(count)
    stack.beats(*everyone[::2], number=1)
    stack.ticks_for(10)
    stack.beats(*everyone[1::2], number=1)
    stack.ticks_for(400)
    assert stack.phases(*everyone) == {(Phase.RUNNING, True)}
    stack.beats(*everyone, number=2)
    assert stack.phases(*everyone) == {(Phase.RUNNING, False)}


@pytest.mark.parametrize("count", [3, 24, 1000])
def test_a_run_that_falls_silent_alone_crashes(count: int) -> None:
    """The other runs go on; those that are unreachable for longer do not count."""
    stack, everyone = Stack(), writers(count)
    for number in range(1, 30):
        stack.beats(*everyone[1:], *(everyone[:1] if number < 4 else []), number=number)
        stack.ticks_for(15)
    assert stack.phases(everyone[0]) == {(Phase.PRESUMED, False)}
    assert stack.phases(*everyone[1:]) == {(Phase.RUNNING, False)}


def test_a_run_that_falls_silent_later_than_the_unreachable_ones_crashes() -> None:
    """Half of the runs are unreachable; ten minutes later another one crashes."""
    stack, everyone = Stack(), writers(24)
    alone, lost, others = everyone[:1], everyone[1:13], everyone[13:]
    for number in range(1, 80):
        beating = [*others, *(alone if number < 44 else []), *(lost if number < 4 else [])]
        stack.beats(*beating, number=number)
        stack.ticks_for(15)
    assert stack.phases(*alone) == {(Phase.PRESUMED, False)}
    assert stack.phases(*lost) == {(Phase.RUNNING, True)}


def test_silent_writers_of_one_run_count_as_one() -> None:
    """Sixty-four silent ranks of a run are one silent run."""
    broker = Broker()
    ranks = writers(64)
    for rank in ranks:
        broker.model.apply(beat(rank, 1), broker.time)
    broker.ticks_for(310)
    assert {writer.phase for writer in broker.model.runs[RUN].writers.values()} == {Phase.PRESUMED}


def test_longest_silent_writer_is_checked_first_after_a_restart() -> None:
    """The order in which runs are loaded does not hide a writer that has been silent longer."""
    for order in (1, -1):
        broker = Broker()
        early, late = writers(2)
        broker.beats(early, number=1)
        broker.ticks_for(290)
        broker.beats(late, number=1)
        stored = list(broker.model.runs.values())[::order]
        again = PartitionModel(LIMITS, is_marked)
        again.clock = broker.model.clock
        again.restore(stored)
        broker.model = again
        broker.ticks_for(20)
        assert broker.phases(early) == {(Phase.PRESUMED, False)}
        assert broker.phases(late) == {(Phase.RUNNING, False)}


def test_transitions_have_a_time_and_a_reason() -> None:
    """Each transition has the append time of its cause; the run's reason contains the writer's label."""
    broker = Broker()
    writer = writers(1)[0]
    label = events.Entry(
        op=events.Operation.SET, path=("label",), value=values.dump("rank 0"), scope=events.Scope.ATTRIBUTE
    )
    host = events.Entry(op=events.Operation.SET, path=("host",), value=values.dump("node"), scope=events.Scope.METADATA)
    said = replace(configured(writer), records=(events.Record(order=0, time=0, entries=(label, host)),))
    start = broker.time
    changes = [*broker.model.apply(said, start), *broker.model.apply(beat(writer, 1), start + 1)]
    changes += broker.model.apply(goodbye(writer), start + 2)
    assert [(change.writer, change.time - start, change.before, change.after, change.reason) for change in changes] == [
        (writer.id, 0, None, State.PENDING, "waiting for the first heartbeat"),
        (None, 0, None, State.PENDING, "rank 0: waiting for the first heartbeat"),
        (writer.id, 1, State.PENDING, State.RUNNING, "heartbeat received"),
        (None, 1, State.PENDING, State.RUNNING, "rank 0: heartbeat received"),
        (writer.id, 2, State.RUNNING, State.FINISHED, "finished"),
        (None, 2, State.RUNNING, State.FINISHED, "rank 0: finished"),
    ]
    found = broker.model.runs[RUN].writers[writer.id]
    assert (found.host, found.label) == ("node", "rank 0")


def test_commands_do_not_open_a_run() -> None:
    """Events of the API itself neither open a run nor have a state."""
    model = PartitionModel(LIMITS, is_marked)
    command = events.Writer(id=b"c" * 16, role=events.Role.COMMAND)
    for event in (configured(command), beat(command, 1), goodbye(command)):
        assert not model.apply(event, 1)
    assert model.runs == {}


def test_signature_is_valid_for_one_tick() -> None:
    """Another key, topic, partition, number or count needs another signature."""
    key = b"k" * 32
    counts = RunCounts(open=9, silent=4)
    signed = replace(tick(7, counts=counts), signature=sign(key, "runstream.heartbeat", 3, 7, counts))
    uncounted = replace(tick(7), signature=sign(key, "runstream.heartbeat", 3, 7))
    assert is_signed(key, "runstream.heartbeat", 3, signed)
    assert is_signed(key, "runstream.heartbeat", 3, uncounted)
    others = [
        (b"x" * 32, "runstream.heartbeat", 3, signed),
        (key, "other.heartbeat", 3, signed),
        (key, "runstream.heartbeat", 4, signed),
        (key, "runstream.heartbeat", 3, replace(signed, number=8)),
        (key, "runstream.heartbeat", 3, replace(signed, silent_runs=0)),
        (key, "runstream.heartbeat", 3, replace(uncounted, open_runs=9)),
        (key, "runstream.heartbeat", 3, tick(7)),
    ]
    assert not any(is_signed(*other) for other in others)
