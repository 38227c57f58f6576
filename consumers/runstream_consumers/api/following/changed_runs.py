"""Which runs of a project have changed since a transaction.

Each row has the number of the transaction that wrote it, ``xmin``. Changes are read up to the oldest transaction that
is not finished: all below it are, so that an interval of numbers never gets another change. No consumer writes anything
for that, and a change is in one interval only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents.effective_state import WAITED_US

#: Less than every key of a run.
FIRST_RUN = UUID(int=0)
#: xmin has the lower 32 bits of a number; $3 is the number of the next transaction, which is greater than any.
_WRITTEN = "coalesce(($3 - (($3 - {0}.xmin::text::bigint) & 4294967295)) between $4 and $5 - 1, false)"
_HAS_ENDED = "live.state in ('finished', 'failed', 'crashed', 'killed', 'preempted')"
#: What a run has counted may arrive after its end, which changes the state that readers see. So does the end of
#: the time for which that is waited for.
_CHANGED = f"""
select * from (
    select listing.run, listing.run_id, {_WRITTEN.format("listing")} or {_WRITTEN.format("live")} as is_written,
        coalesce({_HAS_ENDED} and live.changed > $7 and exists (
            select from runtime.writer_progress as progress
            where progress.run = listing.run and {_WRITTEN.format("progress")}
        ), false) as has_arrived,
        coalesce({_HAS_ENDED} and live.changed > $6 and live.changed <= $7, false) as is_overdue
    from summary.listing left join liveness.run as live on live.run = listing.run
    where listing.entity = $1 and listing.project = $2 and listing.run > $8
) as found
where is_written or has_arrived or is_overdue
order by run limit $9
"""  # noqa: S608 — no values
_HORIZON = """
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint as following,
    'summary.listing'::regclass::oid::bigint as tables
"""


class ProjectPath(NamedTuple):
    """A project."""

    entity: str
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Transactions from the first one to the one before the end, and the time, microseconds since 1970."""

    #: What identifies the tables; if they were rebuilt, all of their rows are new.
    tables: int
    first: int
    end: int
    since: int
    until: int
    #: The number of the next transaction.
    following: int = 0

    @property
    def rest(self) -> Interval:
        """The interval that begins where this one ends."""
        return replace(self, first=self.end, since=self.until)


class ChangedRun(NamedTuple):
    """A run that has changed, and how: something was written, was stored after its end, or will not be."""

    run: UUID
    run_id: str
    is_written: bool
    has_arrived: bool
    is_overdue: bool


async def present(connection: Connection) -> Interval:
    """Return the interval of everything up to now."""
    row = await connection.fetchrow(_HORIZON)
    now = time.time_ns() // 1000
    return Interval(tables=row["tables"], first=0, end=row["horizon"], since=now, until=now, following=row["following"])


async def changed_runs(
    connection: Connection, project: ProjectPath, interval: Interval, *, after: UUID = FIRST_RUN, limit: int
) -> list[ChangedRun]:
    """Return runs of a project that have changed in an interval, by their keys after one; within a snapshot."""
    rows = await connection.fetch(
        _CHANGED,
        *project,
        interval.following,
        interval.first,
        interval.end,
        interval.since - WAITED_US,
        interval.until - WAITED_US,
        after,
        limit,
    )
    return [ChangedRun(*row) for row in rows]
