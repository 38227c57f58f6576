"""The effective state of a run, which readers see: an end is shown only once everything that it counted is stored.

Liveness knows how a run ended as soon as a writer reports it; rows may still be in transit, or a consumer may lag.
Until they are stored, the run is shown as ``running`` with the qualifier ``finishing``, so that a program that waits
for the end finds all rows. After :data:`WAITED_US` the end is shown with the qualifier ``incomplete``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents.delivery_report import delivery_report
from runstream_consumers.api.documents.models import DeliveryReport
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_schemas.events import Role
from runstream_schemas.topics import RunPath

#: How long after a writer's last event its missing records are waited for, microseconds.
WAITED_US = 300 * 1_000_000

_ENDED = frozenset({"finished", "failed", "crashed", "killed", "preempted"})
#: Roles whose records must have arrived before the end of the run is shown.
_COUNTING = frozenset({Role.PRIMARY.value, Role.WORKER.value})


async def read_state(connection: Connection, run: RunPath) -> liveness.RunState | None:
    """Return the effective state of a run, or None if nothing of it has arrived."""
    found = await liveness.state(connection, run)
    if found is None or found.state not in _ENDED:
        return found
    progress = await runtime.progress(connection, run)
    return effective_state(found, delivery_report(found.writers, progress), now=time.time_ns() // 1000)


async def read_states(connection: Connection, runs: Sequence[RunPath]) -> Mapping[RunPath, liveness.RunState]:
    """Return the effective states of several runs, without writers and transitions, by at most three queries."""
    found = await liveness.states(connection, runs)
    now = time.time_ns() // 1000
    recent = [run for run, item in found.items() if item.state in _ENDED and item.changed > now - WAITED_US]
    if recent:
        writers = await liveness.writers_of_runs(connection, recent)
        progress = await runtime.progress_of_runs(connection, recent)
        for run in recent:
            state = replace(found[run], writers=writers.get(run, []))
            report = delivery_report(state.writers, progress.get(run, []))
            found[run] = replace(effective_state(state, report, now=now), writers=[])
    return found


def effective_state(state: liveness.RunState, report: DeliveryReport, *, now: int) -> liveness.RunState:
    """Return a run's state with regard to what has arrived."""
    missing = {
        writer.writer
        for writer in report.writers
        if writer.role in _COUNTING
        and any(topic.missing for topic in writer.topics.values() if topic.counted is not None)
    }
    if state.state not in _ENDED or not missing:
        return state
    last = max((writer.last_time for writer in state.writers if writer.writer.hex() in missing), default=0)
    if now - last < WAITED_US:
        return replace(state, state="running", qualifiers=["finishing"])
    return replace(state, qualifiers=sorted({*state.qualifiers, "incomplete"}))
