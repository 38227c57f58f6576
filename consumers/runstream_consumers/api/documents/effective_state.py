"""The state that readers are shown: an end only once all that it counted is stored.

Liveness knows how a run ended as soon as anybody has said so; rows may still be on their way, or a consumer behind.
Till then the run is shown as ``running``, with the qualifier ``finishing``, so that whoever waits for the end finds
everything there. What has not come after a while is not waited for any longer: the end is shown, as ``incomplete``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents.delivery import Delivery, delivery
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_schemas.events import Role
from runstream_schemas.topics import RunPath

#: Microseconds after the last word of a writer for which what it counted is waited for.
WAITED_US = 300 * 1_000_000

_ENDED = frozenset({"finished", "failed", "crashed", "killed", "preempted"})
#: Roles whose records belong to the end of the run; the others' states are shown beside it.
_COUNTING = frozenset({Role.PRIMARY.value, Role.WORKER.value})


async def state(connection: Connection, run: RunPath) -> liveness.RunState | None:
    """Return the state of a run as it is shown, or None where nothing of it has arrived."""
    found = await liveness.state(connection, run)
    if found is None or found.state not in _ENDED:
        return found
    progress = await runtime.progress(connection, run)
    return settled(found, delivery(found.writers, progress), now=time.time_ns() // 1000)


async def states(connection: Connection, runs: Sequence[RunPath]) -> Mapping[RunPath, liveness.RunState]:
    """Return the states of several runs, without writers and transitions; those of old ends are taken as they are."""
    found = await liveness.states(connection, runs)
    recent = time.time_ns() // 1000 - WAITED_US
    for run, item in found.items():
        if item.state in _ENDED and item.changed > recent and (shown := await state(connection, run)) is not None:
            found[run] = replace(shown, writers=[], transitions=[])
    return found


def settled(state: liveness.RunState, arrived: Delivery, *, now: int) -> liveness.RunState:
    """Return a run's state in the light of what has arrived.

    Args:
        state: As liveness concludes it.
        arrived: What its writers counted, and what of it is stored.
        now: Microseconds since 1970.
    """
    missing = {
        writer.writer
        for writer in arrived.writers
        if writer.role in _COUNTING
        and any(topic.missing for topic in writer.topics.values() if topic.counted is not None)
    }
    if state.state not in _ENDED or not missing:
        return state
    last = max((writer.last_time for writer in state.writers if writer.writer in missing), default=0)
    if now - last < WAITED_US:
        return replace(state, state="running", qualifiers=["finishing"])
    return replace(state, qualifiers=sorted({*state.qualifiers, "incomplete"}))
