"""What is delivered: ``delivery.json``, kept for each Kafka cluster by its id.

The ledger is saved durably before any segment that it declares delivered is deleted. It may lag behind (what was
acknowledged since is sent again, and consumers trim it), but it never declares anything delivered that is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runstream.run_folder.json_files import read_json
from runstream.spool.format import TopicCode
from runstream.spool.reader import Position
from runstream_schemas.losses import Loss, Losses, merge


class PartitionMismatchError(Exception):
    """The cluster's topics do not have the number of partitions that they had when this run was first delivered."""


@dataclass(slots=True)
class WriterAccount:
    """What of one writer is delivered to one cluster."""

    #: By topic code: the first seq that is not acknowledged.
    acked: dict[int, int] = field(default_factory=dict)
    #: By topic code: the acknowledged records that are lost, which markers account for.
    lost: dict[int, Losses] = field(default_factory=dict)
    #: Files of the acknowledged records: media, of artifacts, other.
    files: dict[str, int] = field(default_factory=dict)
    #: Where reading begins after a restart; None for the beginning.
    resume: Position | None = None
    #: Whether beats are sent for the writer: decided and saved before the first beat or the exit; None until then.
    beats: bool | None = None
    #: Whether that decision is in the file.
    beats_saved: bool = False
    #: The order from which on steps are explicit, see :data:`Flag.EXPLICIT_STEP`; None if no step was explicit yet.
    explicit_from: int | None = None
    exit_acked: bool = False
    goodbye_acked: bool = False
    #: Everything of the writer is delivered.
    closed: bool = False

    @property
    def records(self) -> int:
        """Number of acknowledged records."""
        return sum(self.acked.values())

    def acknowledge(self, topic: int, stop: int, lost: str = "") -> int:
        """Note that the records of a topic below ``stop`` are acknowledged; return how many of them are new.

        They are lost if a marker with the reason ``lost`` accounts for them.
        """
        first = self.acked.get(topic, 0)
        new = stop - first
        if lost and new > 0:
            self.lost[topic] = merge(self.lost.get(topic, ()), {lost: [(first, stop)]})
        self.acked[topic] = stop
        return new

    def to_json(self) -> dict[str, Any]:
        """Return the account as JSON."""
        return {
            "acked": {TopicCode(topic).name.lower(): seq for topic, seq in self.acked.items()},
            "lost": {
                TopicCode(topic).name.lower(): [loss.to_json() for loss in losses]
                for topic, losses in self.lost.items()
            },
            **({"files": self.files} if self.files else {}),
            "resume": self.resume,
            "beats": self.beats,
            "said_from": self.explicit_from,
            "exit": self.exit_acked,
            "goodbye": self.goodbye_acked,
            "closed": self.closed,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> WriterAccount:
        """Return the account that a JSON object describes; older objects lack some keys."""
        resume, beats = data.get("resume"), data.get("beats")
        acked, lost = data.get("acked") or {}, data.get("lost") or {}
        names = {code.name.lower(): int(code) for code in TopicCode}
        return cls(
            acked={code: int(acked[name]) for name, code in names.items() if name in acked},
            lost={code: tuple(map(Loss.from_json, lost[name])) for name, code in names.items() if name in lost},
            files={str(kind): int(count) for kind, count in (data.get("files") or {}).items()},
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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClusterAccount:
        """Return the account that a JSON object describes."""
        writers = {bytes.fromhex(name): WriterAccount.from_json(item) for name, item in data["writers"].items()}
        return cls(str(data["entity"]), str(data["prefix"]), int(data["partitions"]), writers)


@dataclass(slots=True)
class Ledger:
    """All accounts of a run folder."""

    path: Path
    clusters: dict[str, ClusterAccount] = field(default_factory=dict)
    #: Bytes of ``console.log`` that are in a spool or delivered.
    console: int = 0
    #: The run's number in its project, if the shipper had to request it and has recorded it.
    number: int | None = None
    #: By name, the files that are read in place, with the writer whose end they are read at, ``source`` and ``policy``.
    watched: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Names of recorded files that programs wrote to the folder of the run's files.
    written: set[str] = field(default_factory=set)
    #: Everything in the folder is delivered.
    complete: bool = False

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Return the ledger in a file, or an empty one if the file is missing or damaged: sending again is harmless."""
        data = read_json(path) or {}
        number = data.get("number")
        try:
            clusters = {name: ClusterAccount.from_json(item) for name, item in (data.get("clusters") or {}).items()}
            return cls(
                path,
                clusters,
                console=int(data.get("console") or 0),
                number=None if number is None else int(number),
                watched={str(path): dict(entry) for path, entry in (data.get("watched") or {}).items()},
                written=set(map(str, data.get("written") or ())),
                complete=bool(data.get("complete")),
            )
        except (TypeError, ValueError, AttributeError, LookupError):
            return cls(path)

    def account(self, cluster: str, *, entity: str, prefix: str, partitions: int) -> ClusterAccount:
        """Return the account of a cluster, created with these values if it is new.

        PartitionMismatchError is raised if it was created with another number of partitions.
        """
        account = self.clusters.setdefault(cluster, ClusterAccount(entity, prefix, partitions))
        if account.partitions != partitions:
            raise PartitionMismatchError(
                f"this run was delivered to topics with {account.partitions} partitions; now they have {partitions}, "
                "and its events would lose their order"
            )
        return account

    def reached_clusters(self) -> list[str]:
        """Return the ids of the clusters that have acknowledged something."""
        acked = {name: [writer.acked for writer in item.writers.values()] for name, item in self.clusters.items()}
        return [name for name, counts in acked.items() if any(counts)]

    def closed(self, writer: bytes) -> bool:
        """Whether everything of a writer was delivered to some cluster; its segments are then deleted."""
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
        shared = {"version": 1, "complete": self.complete, "console": self.console, "number": self.number}
        return {**shared, "watched": self.watched, "written": sorted(self.written), "clusters": clusters}
