"""From the spools of all writers to acknowledged records: what is read, sent, and noted as delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from runstream.assembly.block import Block
from runstream.assembly.events import Envelope, Message, create_messages
from runstream.shipper.delivery.report import Report
from runstream.shipper.ledger.ledger import ClusterAccount, WriterAccount
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.kafka_sender import KafkaSender, PendingMessage
from runstream.shipper.transport.route import Destination
from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.format import StreamCode, TopicCode
from runstream_schemas.codec import encode
from runstream_schemas.events import Role
from runstream_schemas.topics import RunPath, Topic

_CODES = {Topic[code.name]: code for code in TopicCode}
#: Roles whose history is reported. A shipper's history rows come from event files.
_REPORTED = {Role.PRIMARY, Role.WORKER, Role.SHIPPER}


@dataclass(slots=True)
class RunDelivery:
    """The writers of a run and how far each is delivered. ``report`` summarizes the rows that are delivered."""

    report: Report
    settings: ShipperSettings
    #: Called with a writer once its exit is acknowledged.
    exit_acknowledged: Callable[[WriterTail], None]
    #: Keeps a value that is too large for a message, of a row of a writer; see :data:`KeepOfRow`.
    keep: Callable[[bytes, Block, Sequence[str], Any], Any] | None = None
    destination: Destination | None = None
    tails: dict[bytes, WriterTail] = field(default_factory=dict)
    #: Records acknowledged since the start.
    acked: int = 0
    #: Something was acknowledged or decided since the ledger was last saved.
    changed: bool = False
    _account: ClusterAccount | None = None
    _sender: KafkaSender | None = None

    @property
    def run(self) -> RunPath | None:
        """The run, once its entity is known."""
        return None if self.destination is None else self.destination.run

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._sender is not None and not self._sender.failed.is_set()

    @property
    def in_flight(self) -> bool:
        """Whether anything was sent and is not acknowledged."""
        return self._sender is not None and self._sender.load > 0

    @property
    def trainers_acked(self) -> int:
        """Records of training processes that are acknowledged, also before this shipper started."""
        return sum(tail.account.records for tail in self.tails.values() if tail.is_trainer)

    @property
    def saturated(self) -> bool:
        """Whether so much is in flight that nothing is read."""
        return self._sender is not None and self._sender.load >= self.settings.in_flight_bytes

    @property
    def uploading(self) -> bool:
        """Whether any record waits for its upload."""
        return any(tail.uploads for tail in self.tails.values())

    def has_ended(self, writer: bytes) -> bool:
        """Whether a writer has ended; one that is not known was delivered completely before."""
        tail = self.tails.get(writer)
        return tail is None or tail.dead or tail.exit is not None

    def file_announced(self, own: bytes, writer: bytes, seq: int) -> bool:
        """Whether a record of a file is acknowledged, and everything of the shippers before this one, ``own``."""
        tail = self.tails.get(writer)
        earlier = [one for one in self.tails.values() if not one.is_trainer and not one.info.source]
        acked = tail is None or tail.account.acked.get(TopicCode.FILE, 0) > seq
        return acked and all(one.account.closed for one in earlier if one.info.id != own)

    def add(self, tail: WriterTail) -> None:
        """Add a writer."""
        self.tails[tail.info.id] = tail
        if self._account is not None:
            self._begin(tail)

    def open(self, destination: Destination, account: ClusterAccount, sender: KafkaSender) -> None:
        """Begin to deliver each writer from the first record that is not acknowledged."""
        self.destination, self._account, self._sender = destination, account, sender
        for tail in self.tails.values():
            self._begin(tail)

    def shut(self) -> None:
        """Stop delivering: the sender has failed, and what it had in flight is regarded as not delivered."""
        self._sender = None

    def pump(self, slice_s: float) -> bool:
        """Read and send until nothing is left, enough is in flight, or time is up; return whether there is more."""
        deadline = time.perf_counter() + slice_s
        if self.connected and self.uploading:
            self._send_uploaded()
        waiting = [tail for tail in self.tails.values() if not tail.drained]
        while waiting and self.connected:
            still = []
            for tail in waiting:
                if self._sender is None or self.saturated:
                    return False
                if self._pull(tail):
                    still.append(tail)
                if time.perf_counter() > deadline:
                    return True
            waiting = still
        return False

    def send_exits(self) -> None:
        """Send the exits that are known and allowed to be sent, unless they are in flight already."""
        if not self.connected:
            return
        for tail in self.tails.values():
            decided = tail.account.beats_saved or not tail.is_trainer
            if tail.exit is not None and decided and not tail.exit_sent:
                self._send_exit(tail)

    def closed(self, writer: bytes) -> bool:
        """Whether everything of a writer is delivered."""
        return (tail := self.tails.get(writer)) is not None and tail.account.closed

    def decide_beats(self, *, live: bool) -> list[WriterAccount]:
        """Decide for which writers beats are sent: those that are running; return the accounts that changed.

        A writer whose exit is known before its first beat never beats: its exit alone determines its state.
        """
        decided = []
        for tail in self.tails.values() if self._account is not None else ():
            ended = tail.exit is not None
            if tail.is_trainer and tail.account.beats is None and (ended or (live and not tail.dead)):
                tail.account.beats = not ended
                decided.append(tail.account)
        self.changed = self.changed or bool(decided)
        return decided

    def pending(self) -> int:
        """Return how many records were read and are not acknowledged."""
        return sum(tail.pending() for tail in self.tails.values() if not tail.account.closed)

    def settle(self) -> tuple[list[Path], list[str]]:
        """Update the accounts; return the segments and staged files to delete once the ledger is saved."""
        self.changed = False
        delivered: tuple[list[Path], list[str]] = [], []
        for tail in self.tails.values():
            if self._account is not None:
                tail.settle()
                delivered[0].extend(tail.delivered_segments())
                delivered[1].extend(tail.delivered_files())
        return delivered

    def _begin(self, tail: WriterTail) -> None:
        account, destination = self._account, self.destination
        if account is not None and destination is not None:
            writer = account.writers.setdefault(tail.info.id, WriterAccount())
            tail.begin(writer, destination.limits, self.settings.block_rows)

    def _send_uploaded(self) -> None:
        for tail in self.tails.values():
            for block in tail.uploads.release():
                self._send(tail, block)
                if self.saturated:
                    break

    def _pull(self, tail: WriterTail) -> bool:
        before = tail.position
        for block in tail.pull(self.settings.read_bytes):
            self._send(tail, block)
        return tail.position != before

    def _send(self, tail: WriterTail, block: Block) -> None:
        sender, destination = self._sender, self.destination
        if sender is None or destination is None:
            return
        envelope = Envelope(destination.run, tail.info.writer)
        keep = self.keep and partial(self.keep, tail.info.id)
        for message in create_messages(block, envelope, destination.limits, now=time.time_ns() // 1000, keep=keep):
            acknowledge = partial(self._acknowledge, tail, block.stream, message, _files_of(block))
            sender.send(message.topic, PendingMessage(message.payload, acknowledge))

    def _send_exit(self, tail: WriterTail) -> None:
        sender, destination = self._sender, self.destination
        if sender is None or destination is None or tail.exit is None:
            return
        event = tail.exit.event(
            Envelope(destination.run, tail.info.writer),
            beats=bool(tail.account.beats),
            decides=tail.decides,
            waits_for_all=tail.run.waits_for_all,
        )
        tail.exit_sent = True
        sender.send(Topic.EXIT, PendingMessage(encode(event), partial(self._acknowledge_exit, tail)))

    def _acknowledge(self, tail: WriterTail, stream: int, message: Message, files: tuple[str, int] | None) -> None:
        new = tail.acknowledge(_CODES[message.topic], message.stop, message.lost)
        self.acked += new
        if files is not None and new and not message.lost:
            kind, count = files
            tail.account.files[kind] = tail.account.files.get(kind, 0) + count
        self.changed = True
        if stream == StreamCode.HISTORY and message.columns and tail.info.role in _REPORTED:
            self.report.add(message.columns, message.stop - message.seq)

    def _acknowledge_exit(self, tail: WriterTail) -> None:
        tail.account.exit_acked = True
        self.changed = True
        self.exit_acknowledged(tail)


def _files_of(block: Block) -> tuple[str, int] | None:
    """Return the kind and number of the files that a record has uploaded; None if it is not about files."""
    if not block.extra:
        return None
    if block.topic == TopicCode.ARTIFACT:
        logged = block.values[0].get("action") in {"log", "upsert"}
        return "artifact", int(block.extra.get("file_count", 0)) if logged else 0
    if isinstance(files := block.extra.get("files"), list):
        return "other", sum(not file.reason for file in files)
    return "media" if str(block.values[0].get("path")).startswith("media/") else "other", 1
