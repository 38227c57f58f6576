"""The recount finds every kind of fault."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer

from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.rows import cut, pack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.contract.examples import VECTORS
from tests.events import changed
from tests.faults.plain_reader import read, untagged
from tests.faults.recount import compare
from tests.faults.recount_sources import Message, dump

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = RunPath(entity="e", project="p", run_id="r")
WRITERS = {
    "0": events.Writer(id=b"a" * 16, role=events.Role.PRIMARY),
    "1": events.Writer(id=b"b" * 16, role=events.Role.WORKER),
}
ROWS = 12


class World:
    """The journal, messages and scanned rows of a stack without faults, which tests change."""

    def __init__(self) -> None:
        self.journal: list[dict[str, Any]] = []
        self.messages: list[Message] = []
        self.quarantined: set[tuple[str, int, int]] = set()
        self.lost: dict[str, int] = {}
        for label, writer in WRITERS.items():
            self._write(label, writer)
        self.scanned = sorted(
            (
                {"_step": line["step"], "_writer": WRITERS[line["writer"]].id.hex(), "_late": False, **line["values"]}
                for line in self.journal
            ),
            key=lambda row: (row["_step"], row["_writer"]),
        )

    def _write(self, label: str, writer: events.Writer) -> None:
        rows = [{"loss": float(label) + row / 8, "note": f"{label}-{row}", "x": float("nan")} for row in range(ROWS)]
        self.journal += [
            {"run": str(RUN), "writer": label, "pid": int(label), "row": row, "step": row, "values": values}
            for row, values in enumerate(rows)
        ]
        named = events.Entry(
            op=events.Operation.SET, path=("label",), value=json.dumps(label), scope=events.Scope.ATTRIBUTE
        )
        self.append(
            events.ChangeEvent(
                header=events.Header(kind=events.Kind.DATA, run=RUN, writer=writer, time=0, seq=0, count=1),
                topic=Topic.CONFIG,
                records=(events.Record(order=0, time=0, entries=(named,)),),
            )
        )
        self.append(block(writer, rows[:5], 0), block(writer, rows[5:], 5))
        counts = {Topic.LOG: ROWS, Topic.CONFIG: 1, Topic.EXIT: 1}
        ending = events.Ending(state=events.ExitState.FINISHED, exit_code=0, counts=counts)
        self.append(
            events.ExitEvent(
                header=events.Header(kind=events.Kind.DATA, run=RUN, writer=writer, time=0, order=ROWS + 1),
                ending=ending,
            )
        )

    def append(self, *added: events.LogEvent | events.ChangeEvent | events.ExitEvent) -> None:
        """Append events to the topics."""
        for event in added:
            self.messages.append(Message(event.topic.value, 0, len(self.messages), encode(event)))

    def verdict(self) -> Any:
        """Return the verdict of the recount."""
        lost, scanned = {str(RUN): self.lost}, {str(RUN): self.scanned}
        return compare(self.journal, self.messages, scanned, frozenset(self.quarantined), lost)

    def log(self, number: int) -> int:
        """Return the index of the ``number``-th log message."""
        return [index for index, message in enumerate(self.messages) if message.topic == "log"][number]


def block(writer: events.Writer, rows: list[dict[str, Any]], seq: int) -> events.LogEvent:
    """Return rows as a block that begins at ``seq``."""
    numbers = np.arange(seq, seq + len(rows), dtype=np.int64)
    return events.LogEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=writer, time=0, seq=seq, count=len(rows)),
        stream=events.Stream.HISTORY,
        orders=numbers + 1,
        steps=numbers,
        times=numbers,
        columns=pack_rows(rows),
    )


def test_a_stack_without_faults_is_good() -> None:
    """Each accepted row is stored once."""
    verdict = World().verdict()
    assert verdict.unexplained == []
    assert verdict.good
    assert (verdict.accepted, verdict.stored, verdict.rejected) == (2 * ROWS, 2 * ROWS, 0)


def test_rows_published_again_in_other_blocks_are_good() -> None:
    """A restarted shipper may divide the rows differently."""
    world = World()
    rows = [line["values"] for line in world.journal if line["writer"] == "0"]
    world.append(cut(block(WRITERS["0"], rows, 0), 2, 9))
    verdict = world.verdict()
    assert (verdict.good, verdict.redelivered) == (True, 7)


def test_dropped_rows_are_rejected_not_lost() -> None:
    """A marker explains the missing sequence numbers, if readers report as many lost rows."""
    world = World()
    index = world.log(1)
    marker = changed(
        block(WRITERS["0"], [], 5),
        kind=events.Kind.DROPPED,
        count=ROWS - 5,
        reason="disk full",
    )
    world.messages[index] = replace(world.messages[index], value=encode(marker))
    writer = WRITERS["0"].id.hex()
    world.scanned = [row for row in world.scanned if row["_writer"] != writer or row["_step"] < 5]
    assert world.verdict().unexplained == [f"{RUN} {writer}: {ROWS - 5} rows are lost, 0 reported"]
    world.lost[writer] = ROWS - 5
    verdict = world.verdict()
    assert verdict.unexplained == []
    assert (verdict.good, verdict.rejected, verdict.stored, verdict.lost) == (True, ROWS - 5, ROWS + 5, ROWS - 5)


def test_rows_in_quarantine_are_rejected_not_lost() -> None:
    """A message that history did not apply explains the missing rows."""
    world = World()
    world.quarantined.add(world.messages[world.log(1)].position)
    writer = WRITERS["0"].id.hex()
    world.scanned = [row for row in world.scanned if row["_writer"] != writer or row["_step"] < 5]
    verdict = world.verdict()
    assert verdict.unexplained == []
    assert (verdict.good, verdict.rejected) == (True, ROWS - 5)


def test_garbage_in_quarantine_is_explained() -> None:
    """A message that cannot be decoded is expected there."""
    world = World()
    world.messages.append(Message("log", 0, 99, b"garbage"))
    world.quarantined.add(("log", 0, 99))
    assert (world.verdict().good, world.verdict().poison) == (True, 1)


def test_a_row_without_a_journal_line_is_allowed() -> None:
    """A process killed between log() and the journal has one more row than lines."""
    world = World()
    del world.journal[ROWS - 1]
    verdict = world.verdict()
    assert (verdict.good, verdict.unjournaled) == (True, 1)


def lose_a_message(world: World) -> None:
    """A block is missing in the topic."""
    del world.messages[world.log(0)]


def lose_the_last_block(world: World) -> None:
    """The end of a run is missing in the topic."""
    del world.messages[world.log(1)]


def lose_a_row(world: World) -> None:
    """A row is missing for readers."""
    del world.scanned[3]


def double_a_row(world: World) -> None:
    """A reader gets a row twice."""
    world.scanned.insert(3, world.scanned[3])


def change_a_value(world: World) -> None:
    """A reader gets another value."""
    world.scanned[3] = {**world.scanned[3], "loss": 0.0001}


def change_a_type(world: World) -> None:
    """A reader gets an int for a float."""
    world.scanned[0] = {**world.scanned[0], "loss": 0}


def lose_a_key(world: World) -> None:
    """A value of a row is missing for readers."""
    world.scanned[3] = {key: value for key, value in world.scanned[3].items() if key != "x"}


def move_a_row(world: World) -> None:
    """A reader gets a row at another step."""
    world.scanned[3] = {**world.scanned[3], "_step": 4}


def swap_two_rows(world: World) -> None:
    """A reader gets two rows in the wrong order."""
    world.scanned[2], world.scanned[5] = world.scanned[5], world.scanned[2]


def swap_the_writers(world: World) -> None:
    """A row has the other writer."""
    world.scanned[0], world.scanned[1] = (
        {**world.scanned[0], "_writer": world.scanned[1]["_writer"]},
        {**world.scanned[1], "_writer": world.scanned[0]["_writer"]},
    )


def invent_a_row(world: World) -> None:
    """A reader gets a row that was not logged."""
    world.scanned.append({**world.scanned[-1], "_step": ROWS})


def publish_more(world: World) -> None:
    """The topic has rows that were not logged and that the exit does not count."""
    world.append(block(WRITERS["0"], [{"loss": 0.0}] * 3, ROWS))


def publish_otherwise(world: World) -> None:
    """A row is published again with another value."""
    world.append(block(WRITERS["0"], [{"loss": 0.0}], 3))


def publish_garbage(world: World) -> None:
    """A message cannot be decoded and is not in quarantine."""
    world.messages.append(Message("log", 0, 99, b"garbage"))


def exit_twice(world: World) -> None:
    """A second exit has another count."""
    ending = events.Ending(state=events.ExitState.FINISHED, counts={Topic.LOG: 1})
    world.append(
        events.ExitEvent(
            header=events.Header(kind=events.Kind.DATA, run=RUN, writer=WRITERS["0"], time=0, order=99), ending=ending
        )
    )


def lose_a_writer(world: World) -> None:
    """All rows of a writer are missing."""
    world.messages = world.messages[:4]
    world.scanned = [row for row in world.scanned if row["_writer"] == WRITERS["0"].id.hex()]


def order_backwards(world: World) -> None:
    """Orders of a writer are not ascending."""
    index = world.log(1)
    rows = [line["values"] for line in world.journal if line["writer"] == "0"][5:]
    changed_block = block(WRITERS["0"], rows, 5)
    world.messages[index] = replace(
        world.messages[index], value=encode(replace(changed_block, orders=changed_block.orders - 3))
    )


FAULTS = [
    lose_a_message,
    lose_the_last_block,
    lose_a_row,
    double_a_row,
    change_a_value,
    change_a_type,
    lose_a_key,
    move_a_row,
    swap_two_rows,
    swap_the_writers,
    invent_a_row,
    publish_more,
    publish_otherwise,
    publish_garbage,
    exit_twice,
    lose_a_writer,
    order_backwards,
]


@pytest.mark.parametrize("inject", FAULTS)
def test_a_fault_is_found(inject: Callable[[World], None]) -> None:
    """The verdict is not good if there is one fault."""
    world = World()
    inject(world)
    assert not world.verdict().good


@pytest.mark.parametrize("path", sorted(VECTORS.glob("log/*/*.json")), ids=lambda path: path.stem)
def test_the_independent_reader_decodes_the_test_vectors(path: Path) -> None:
    """A reader written from the documentation has the expected result."""
    vector = json.loads(path.read_text(encoding="utf-8"))
    meaning = json.loads(json.dumps(vector["meaning"]), object_hook=untagged)
    decoded = read("log", bytes.fromhex(vector["message"]))
    assert (decoded.kind, decoded.writer, decoded.seq, decoded.count) == (
        meaning["kind"],
        meaning["writer"]["id"],
        meaning["seq"],
        meaning["count"],
    )
    rows = [(row.order, row.step, row.time, repr(sorted(row.values.items()))) for row in decoded.rows]
    numbers = zip(meaning["orders"], meaning["steps"], meaning["times"], meaning["rows"], strict=True)
    assert rows == [(order, step, time, repr(sorted(row.items()))) for order, step, time, row in numbers]


async def test_the_dump_has_all_messages(broker: str, prefix: str) -> None:
    """The messages of all partitions from first to last, in order."""
    world = World()
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        for message in world.messages:
            await producer.send_and_wait(f"{prefix}.{message.topic}", message.value, partition=1)
    finally:
        await producer.stop()
    found = await dump(broker, prefix, 2)
    for topic in ("log", "config", "exit"):
        wanted = [message.value for message in world.messages if message.topic == topic]
        assert [(message.partition, message.offset, message.value) for message in found if message.topic == topic] == [
            (1, offset, value) for offset, value in enumerate(wanted)
        ]
