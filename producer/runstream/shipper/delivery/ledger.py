"""What is delivered: ``delivery.json``, kept for each Kafka cluster by its id.

The ledger is saved, durably, before any segment that it declares delivered is deleted. It may lag behind the truth
(what was acknowledged since is sent again, and consumers trim it) but never runs ahead of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runstream.run_folder.json_files import read_json
from runstream.spool.format import TopicCode
from runstream.spool.reader import Position

if TYPE_CHECKING:
    from pathlib import Path


class PartitionMismatchError(Exception):
    """The cluster's topics have another number of partitions than when this run was first delivered to it."""


@dataclass(slots=True)
class WriterAccount:
    """What of one writer is delivered to one cluster."""

    #: By topic code: the first seq that is not acknowledged.
    acked: dict[int, int] = field(default_factory=dict)
    #: Where reading begins after a restart; None at the beginning.
    resume: Position | None = None
    #: Whether beats of the writer are sent: decided once, and saved, before the first beat or the exit; None till then.
    beats: bool | None = None
    #: That decision lies in the file.
    beats_saved: bool = False
    #: The order from which on its steps are as they stand, see :data:`Flag.EXPLICIT_STEP`; None: it said none yet.
    explicit_from: int | None = None
    exit_acked: bool = False
    goodbye_acked: bool = False
    #: Everything of the writer is delivered.
    closed: bool = False

    @property
    def records(self) -> int:
        """Records acknowledged."""
        return sum(self.acked.values())

    def to_json(self) -> dict[str, Any]:
        """Return the account as JSON."""
        return {
            "acked": {TopicCode(topic).name.lower(): seq for topic, seq in self.acked.items()},
            "resume": self.resume,
            "beats": self.beats,
            "said_from": self.explicit_from,
            "exit": self.exit_acked,
            "goodbye": self.goodbye_acked,
            "closed": self.closed,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> WriterAccount:
        """Return the account that a JSON object describes."""
        resume = data.get("resume")
        acked = data.get("acked") or {}
        beats = data.get("beats")
        return cls(
            acked={code: int(acked[code.name.lower()]) for code in TopicCode if code.name.lower() in acked},
            resume=Position(int(resume[0]), int(resume[1])) if resume else None,
            beats=None if beats is None else bool(beats),
            beats_saved=beats is not None,
            explicit_from=data.get("said_from"),
            exit_acked=bool(data.get("exit")),
            goodbye_acked=bool(data.get("goodbye")),
            closed=bool(data.get("closed")),
        )


@dataclass(slots=True)
class ClusterAccount:
    """What of the run is delivered to one cluster, and what was fixed at the first delivery."""

    entity: str
    prefix: str
    partitions: int
    writers: dict[bytes, WriterAccount] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
    """All accounts of a run folder."""

    path: Path
    clusters: dict[str, ClusterAccount] = field(default_factory=dict)
    #: Bytes of ``console.log`` that lie in a spool or are delivered.
    console: int = 0
    #: The run's number in its project, where the shipper had to ask for it and has recorded it.
    number: int | None = None
    #: Everything in the folder is delivered.
    complete: bool = False

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Return the ledger in a file; an empty one where there is no file, or a damaged one: resending is harmless."""
        ledger = cls(path)
        data = read_json(path) or {}
        try:
            ledger.clusters = {name: _cluster(item) for name, item in (data.get("clusters") or {}).items()}
            ledger.console = int(data.get("console") or 0)
            ledger.number = None if data.get("number") is None else int(data["number"])
            ledger.complete = bool(data.get("complete"))
        except (TypeError, ValueError, AttributeError, LookupError):
            return cls(path)
        return ledger

    def account(self, cluster: str, *, entity: str, prefix: str, partitions: int) -> ClusterAccount:
        """Return the account of a cluster, opened with these values if it is new.

        Raises:
            PartitionMismatchError: The account was opened with another number of partitions.
        """
        account = self.clusters.setdefault(cluster, ClusterAccount(entity, prefix, partitions))
        if account.partitions != partitions:
            raise PartitionMismatchError(
                f"this run was delivered to topics of {account.partitions} partitions; now there are {partitions}: "
                "its events would lose their order"
            )
        return account

    def closed(self, writer: bytes) -> bool:
        """Tell whether everything of a writer was delivered once; its segments are deleted then."""
        return any(item.writers[writer].closed for item in self.clusters.values() if writer in item.writers)

    def floor(self, writer: bytes) -> dict[int, int]:
        """Return, by topic code, how many records of a writer some cluster has acknowledged."""
        accounts = [item.writers[writer].acked for item in self.clusters.values() if writer in item.writers]
        return {code: max(acked.get(code, 0) for acked in accounts) for acked in accounts for code in acked}

    def to_json(self) -> dict[str, Any]:
        """Return the ledger as JSON."""
        clusters = {
            name: {
                "entity": account.entity,
                "prefix": account.prefix,
                "partitions": account.partitions,
                "writers": {writer.hex(): item.to_json() for writer, item in account.writers.items()},
            }
            for name, account in self.clusters.items()
        }
        return {
            "version": 1,
            "complete": self.complete,
            "console": self.console,
            "number": self.number,
            "clusters": clusters,
        }


def _cluster(data: dict[str, Any]) -> ClusterAccount:
    writers = {bytes.fromhex(name): WriterAccount.from_json(item) for name, item in data["writers"].items()}
    return ClusterAccount(str(data["entity"]), str(data["prefix"]), int(data["partitions"]), writers)
