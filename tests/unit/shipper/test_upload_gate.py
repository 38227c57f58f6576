"""Records wait for their uploads, in order, and only those of gated topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.assembly.block import Block
from runstream.shipper.ledger.upload_gate import GatedRecord, Outcome, UploadQueue
from runstream.spool.format import TopicCode
from runstream.spool.reader import Position
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

WRITER = bytes(16)


class Uploads:
    """A gate whose uploads end when a test says so."""

    topics: Collection[Topic] = (Topic.FILE, Topic.ARTIFACT)

    def __init__(self) -> None:
        self.load = 0
        self.full = False
        self.begun: list[tuple[Topic, int]] = []
        self._finish: dict[tuple[Topic, int], Callable[[Outcome], None]] = {}

    def submit(self, record: GatedRecord, finish: Callable[[Outcome], None]) -> None:
        """Note an upload."""
        self.begun.append((record.topic, record.seq))
        self._finish[record.topic, record.seq] = finish

    def end(self, topic: Topic, seq: int, outcome: Outcome | None = None) -> None:
        """End an upload."""
        self._finish[topic, seq](outcome or Outcome())


def block(topic: TopicCode, seq: int, *, reason: str = "") -> Block:
    """Return a block of one record, or of one missing record."""
    result = Block(topic, 0, seq, Position(0, 64), size=10, reason=reason, missing=1 if reason else 0)
    result.values = [] if reason else [{"path": "a"}]
    return result


def released(queue: UploadQueue) -> list[tuple[int, int]]:
    """Return topic and seq of the blocks that no longer wait."""
    return [(item.topic, item.seq) for item in queue.release()]


def test_nothing_waits_without_a_gate() -> None:
    """Without uploads, no record waits."""
    queue = UploadQueue(None, WRITER)
    blocks = [block(TopicCode.FILE, 0), block(TopicCode.LOG, 0)]

    assert (queue.admit(blocks), len(queue)) == (blocks, 0)


def test_records_wait_in_order() -> None:
    """A record whose upload has ended waits for earlier records of its topic; other topics continue."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER)
    log = block(TopicCode.LOG, 0)
    admitted = queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1), log, block(TopicCode.ARTIFACT, 0)])
    load = gate.load
    gate.end(Topic.FILE, 1)
    gate.end(Topic.ARTIFACT, 0)
    first = released(queue)
    gate.end(Topic.FILE, 0)
    second = released(queue)

    assert admitted == [log]
    assert first == [(TopicCode.ARTIFACT, 0)]
    assert (second, gate.load, len(queue)) == ([(TopicCode.FILE, 0), (TopicCode.FILE, 1)], 0, 0)
    assert load > 0


def test_missing_records_wait_only_for_their_turn() -> None:
    """A marker of dropped records has no upload, but keeps its position after records that wait."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER)
    queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1, reason="dropped")])
    before = released(queue)
    gate.end(Topic.FILE, 0)

    assert (before, released(queue)) == ([], [(TopicCode.FILE, 0), (TopicCode.FILE, 1)])
    assert gate.begun == [(Topic.FILE, 0)]


def test_outcomes_become_part_of_the_records() -> None:
    """An upload adds fields to its record; a failed one makes it a marker that still has the record's names."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER)
    queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1)])
    gate.end(Topic.FILE, 0, Outcome({"size": 3}))
    gate.end(Topic.FILE, 1, Outcome(lost="cannot read \udcff"))

    stored, lost = queue.release()

    assert (stored.extra, stored.reason) == ({"size": 3}, "")
    assert (lost.reason, lost.values, lost.count) == ("cannot read \\udcff", [{"path": "a"}], 1)


def test_uploads_go_on_when_the_spool_is_read_again() -> None:
    """After a new connection the records are read again, and their uploads are not begun again; elsewhere they are."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER)
    queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1)])
    gate.end(Topic.FILE, 0)
    queue.restart(keep=True)
    queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1)])
    gate.end(Topic.FILE, 1)
    again = released(queue)
    begun = len(gate.begun)
    queue.restart(keep=False)
    queue.admit([block(TopicCode.FILE, 0)])

    assert (again, begun, gate.load > 0) == ([(TopicCode.FILE, 0), (TopicCode.FILE, 1)], 2, True)
    assert (released(queue), len(gate.begun)) == ([], 3)


def test_staged_files_are_not_needed_after_the_acknowledgement() -> None:
    """The files of acknowledged records, and only those, may be deleted."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER)
    queue.admit([block(TopicCode.FILE, seq) for seq in range(3)])
    for seq in range(3):
        gate.end(Topic.FILE, seq, Outcome(staged=[f"staged/{seq}"]))
    released(queue)

    assert list(queue.acknowledge(TopicCode.FILE, 0, 2)) == ["staged/0", "staged/1"]
    assert list(queue.acknowledge(TopicCode.LOG, 0, 9)) == []
    assert list(queue.acknowledge(TopicCode.FILE, 2, 3)) == ["staged/2"]
