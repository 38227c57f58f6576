"""How far delivery is, as ``run.status()`` says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """What was recorded and what of it is delivered, in records."""

    #: Records that this process appended.
    sync_items_total: int
    #: Those of them that no broker has acknowledged.
    sync_items_pending: int
    #: When one was acknowledged last; None: never.
    sync_time: datetime | None
