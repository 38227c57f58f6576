"""The status of a stack: the supervisor's state, fresh checks of all services, memory and lag."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping

import psutil
from pydantic import BaseModel

from runstream_deploy.services.lag import STALLED_S, Consumption, read_consumption
from runstream_deploy.services.quarantine import read_kinds
from runstream_deploy.stack.composition import Composition, assemble
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import read_settings
from runstream_deploy.stack.stack_file import parse
from runstream_deploy.stack.state import HEALTHY, ServiceCondition, ServiceState, StackPhase, StackState, read_state
from runstream_schemas.topics import Topic, topic_name


class ServiceStatus(ServiceState):
    """The state of a service, with its memory and lag."""

    #: Proportional memory of the process and its descendants, in bytes.
    memory: int = 0
    #: Messages that a consumer has not stored yet; None if unknown, or not a consumer.
    lag: int | None = None


class QuarantineStatus(BaseModel):
    """Messages in quarantine of a consumer, of one topic and one kind of error."""

    consumer: str
    #: Kafka's name of the topic.
    topic: str
    messages: int
    #: decode or apply.
    stage: str
    #: When the last one was quarantined, in seconds since 1970.
    last: float
    #: The reason of the last one.
    reason: str
    #: The command that lists them.
    command: str


class StackStatus(BaseModel):
    """The status of a stack; ``runstream status --json`` prints it."""

    healthy: bool = False
    phase: StackPhase
    data_dir: str
    url: str = ""
    #: The process of the supervisor, None if it is not running.
    pid: int | None = None
    #: Proportional memory of all processes, including the supervisor, in bytes.
    memory: int = 0
    message: str
    services: list[ServiceStatus] = []
    quarantine: list[QuarantineStatus] = []


async def read_status(folder: DataFolder) -> StackStatus:
    """Return the current status of the stack of a data folder, without changing anything.

    DataFolderError is raised if the folder is damaged, or was written by a newer release.
    """
    state, supervisor = read_state(folder), folder.supervisor()
    if state is None or supervisor is None or not folder.stack.exists():
        phase = state.phase if state and state.phase is StackPhase.FAILED else StackPhase.STOPPED
        message = state.message if state and phase is StackPhase.FAILED else "not running"
        return StackStatus(phase=phase, data_dir=str(folder.path), message=message)
    stack = parse(folder.stack.read_text(), str(folder.stack))
    stored = {name.removeprefix("RUNSTREAM_").lower(): value for name, value in state.environment.items()}
    # Seen from this process, every server is an external one.
    composition = assemble(stack, read_settings(**stored), [])
    services = await _services(state, composition)
    return StackStatus(
        healthy=state.phase is StackPhase.RUNNING and all(row.condition in HEALTHY for row in services),
        phase=state.phase,
        data_dir=str(folder.path),
        url=state.url,
        pid=supervisor,
        memory=_memory(supervisor, descendants=False) + sum(row.memory for row in services),
        message=state.message,
        services=services,
        quarantine=await _quarantine(composition.settings.postgres),
    )


async def _quarantine(dsn: str) -> list[QuarantineStatus]:
    with contextlib.suppress(OSError):
        return [
            QuarantineStatus(consumer=row["sink"], command=f"runstream quarantine {row['sink']}", **dict(row))
            for row in await read_kinds(dsn)
        ]
    return []


async def _services(state: StackState, composition: Composition) -> list[ServiceStatus]:
    settings = composition.settings
    checks = {external.name: external.check for external in composition.external}
    checks |= {service.name: service.check for service in composition.applications}
    rows = list(state.services.values())
    problems = await asyncio.gather(*(_check(row, checks) for row in rows))
    progress: Mapping[str, Consumption] = {}
    with contextlib.suppress(OSError):
        topics = [topic_name(settings.prefix, topic) for topic in Topic]
        progress = await read_consumption(settings.kafka, settings.postgres, topics)
    found = [
        with_progress(ServiceStatus(**{**row.model_dump(), **problem}, memory=_memory(row.pid)), progress.get(row.name))
        for row, problem in zip(rows, problems, strict=True)
    ]
    # Consumers that someone else runs, with `runstream consume`.
    others = sorted(progress.keys() - state.services.keys())
    found += [ServiceStatus(name=name, condition=ServiceCondition.EXTERNAL) for name in others]
    return [with_progress(row, progress.get(row.name)) for row in found]


def with_progress(row: ServiceStatus, progress: Consumption | None) -> ServiceStatus:
    """Return the status of a consumer with its lag and with what keeps it from moving."""
    if progress is None:
        return row
    problems = []
    # A consumer that was just started has had no time to move.
    stalled = min(progress.stalled, time.time() - row.since)
    if row.condition is ServiceCondition.RUNNING and stalled > STALLED_S:
        row = row.model_copy(update={"condition": ServiceCondition.STALLED})
        problems.append(f"has stored nothing for {stalled:.0f} s, and {progress.lag} messages wait")
    if progress.deferred:
        problems.append(f"defers {progress.deferred} messages of costly runs")
    if progress.delay:
        problems.append(f"waits for a service: {progress.delay}")
    if progress.unsent:
        problems.append(f"could not send {progress.unsent} messages yet: {progress.unsent_error}")
    # What the supervisor reported about an earlier process is over while there is something newer.
    return row.model_copy(update={"lag": progress.lag, "problem": "; ".join(problems) or row.problem})


async def _check(row: ServiceState, checks: Mapping[str, Callable[[], Awaitable[None]]]) -> dict[str, str]:
    """Return what differs from the row: the condition ``silent`` if a running service does not answer now."""
    if row.name not in checks:
        return {"problem": "its package is no longer installed"}
    try:
        async with asyncio.timeout(5):
            await checks[row.name]()
    except OSError as error:
        if row.condition in HEALTHY:
            return {"condition": ServiceCondition.SILENT, "problem": str(error) or type(error).__name__}
    return {}


def _memory(pid: int | None, *, descendants: bool = True) -> int:
    if pid is None:
        return 0
    try:
        process = psutil.Process(pid)
        processes = [process, *(process.children(recursive=True) if descendants else [])]
    except psutil.Error:
        return 0
    total = 0
    for each in processes:
        with contextlib.suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total
