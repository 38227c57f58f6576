"""A page of archived rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_consumers.history.tables.row_table import Cursor

if TYPE_CHECKING:
    from runstream_consumers.archive.bulk.chunks import Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPage:
    """Some rows in the order of a view, and the cursor of the next page, or None if there is none."""

    chunks: Sequence[Chunk]
    next: Cursor | None
