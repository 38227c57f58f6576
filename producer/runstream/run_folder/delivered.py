"""What of a run folder is delivered, as the shipper has saved it in ``delivery.json``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.run_folder.json_files import read_json
from runstream_schemas.losses import Loss, lost_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Delivered:
    """The acknowledged records of all writers of a run folder."""

    #: Number of stored records, exits included.
    records: int = 0
    #: Number of records that are lost.
    lost: int = 0
    #: What is lost and why, for people; empty if nothing is.
    losses: str = ""
    #: Number of files among the records: media of rows, those of artifacts, and others.
    media_files: int = 0
    artifact_files: int = 0
    other_files: int = 0


NOTHING_DELIVERED = Delivered()


def read_delivered(ledger: Path) -> Delivered:
    """Return what a ledger declares delivered, to the cluster that has the most."""
    try:
        clusters = (read_json(ledger) or {})["clusters"].values()
        found = [_delivered(cluster["writers"]) for cluster in clusters]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return NOTHING_DELIVERED
    return max(found, key=lambda one: one.records + one.lost, default=NOTHING_DELIVERED)


def _delivered(writers: Mapping[str, Any]) -> Delivered:
    lost: Counter[tuple[str, str]] = Counter()
    for writer in writers.values():
        for topic, losses in writer.get("lost", {}).items():
            for loss in map(Loss.from_json, losses):
                lost[topic, loss.reason] += loss.count
    records = sum(sum(one["acked"].values()) + bool(one["exit"]) for one in writers.values())
    texts = [lost_text(topic, count, reason) for (topic, reason), count in lost.most_common()]
    files: Counter[str] = Counter()
    for writer in writers.values():
        files.update(writer.get("files") or {})
    return Delivered(
        records - lost.total(), lost.total(), ", ".join(texts), files["media"], files["artifact"], files["other"]
    )
