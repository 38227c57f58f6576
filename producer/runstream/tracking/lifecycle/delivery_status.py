"""The progress of delivery, for ``run.status()``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runstream.spool.control_page import Word
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.run_folder.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How many records there are, and how many are delivered."""

    #: Records that this process appended.
    sync_items_total: int
    #: Those that no broker has acknowledged yet.
    sync_items_pending: int
    #: Time of the last acknowledgement; None if there was none.
    sync_time: datetime | None


def acknowledged(folder: RunFolder, writer: bytes) -> int:
    """Return how many records of a writer are acknowledged, as the shipper saved it about a second ago."""
    return _greatest(folder, lambda writers: sum(writers.get(writer.hex(), {"acked": {}})["acked"].values()))


def last_acknowledged(folder: RunFolder) -> datetime | None:
    """Return the time of the last acknowledgement in UTC; None if there was none."""
    time = folder.control[Word.LAST_ACKED]
    return datetime.fromtimestamp(time / 1e6, UTC) if time else None


def _greatest(folder: RunFolder, count: Callable[[dict[str, Any]], int]) -> int:
    """Return the greatest count over the clusters that the run is delivered to; 0 if it is not known."""
    try:
        clusters = values.load((folder.path / "delivery.json").read_text())["clusters"]
        return max((count(cluster["writers"]) for cluster in clusters.values()), default=0)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return 0
