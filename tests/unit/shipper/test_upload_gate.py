"""Records wait for their uploads, in order, and only those of gated topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.assembly.block import Block
from runstream.shipper.ledger.ledger import WriterAccount
from runstream.shipper.ledger.upload_gate import GatedRecord, UploadQueue
from runstream.spool.format import TopicCode
from runstream.spool.reader import Position
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Collection

WRITER = bytes(16)


class Uploads:
    """A gate that is open for the records whose uploads are done."""

    topics: Collection[Topic] = (Topic.FILE, Topic.ARTIFACT)

    def __init__(self) -> None:
        self.done: set[tuple[Topic, int]] = set()

    def ready(self, record: GatedRecord) -> bool:
        """Whether the upload of a record is done."""
        return (record.topic, record.seq) in self.done


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
    queue = UploadQueue(None, WRITER, WriterAccount())
    blocks = [block(TopicCode.FILE, 0), block(TopicCode.LOG, 0)]

    assert (queue.admit(blocks), bool(queue)) == (blocks, False)


def test_records_wait_in_order() -> None:
    """A record whose upload is done waits for earlier records of its topic; other topics continue."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER, WriterAccount())
    log = block(TopicCode.LOG, 0)
    admitted = queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1), log, block(TopicCode.ARTIFACT, 0)])
    gate.done = {(Topic.FILE, 1), (Topic.ARTIFACT, 0)}
    first = released(queue)
    size = queue.size
    gate.done.add((Topic.FILE, 0))
    second = released(queue)

    assert admitted == [log]
    assert (first, size) == ([(TopicCode.ARTIFACT, 0)], 20)
    assert (second, queue.size, bool(queue)) == ([(TopicCode.FILE, 0), (TopicCode.FILE, 1)], 0, False)


def test_missing_records_wait_only_for_their_turn() -> None:
    """A marker of dropped records has no upload, but keeps its position after records that wait."""
    gate = Uploads()
    queue = UploadQueue(gate, WRITER, WriterAccount())
    queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1, reason="dropped")])
    before = released(queue)
    gate.done.add((Topic.FILE, 0))

    assert (before, released(queue)) == ([], [(TopicCode.FILE, 0), (TopicCode.FILE, 1)])


def test_finished_uploads_are_remembered() -> None:
    """An upload that the account has as done is not asked for again."""
    account = WriterAccount()
    gate = Uploads()
    queue = UploadQueue(gate, WRITER, account)
    queue.admit([block(TopicCode.FILE, 0), block(TopicCode.FILE, 1)])
    gate.done = {(Topic.FILE, 1)}
    list(queue.release())
    restarted = UploadQueue(Uploads(), WRITER, WriterAccount.from_json(account.to_json()))
    restarted.admit([block(TopicCode.FILE, 1)])

    assert (account.uploads, released(restarted)) == ({TopicCode.FILE: {1}}, [(TopicCode.FILE, 1)])
