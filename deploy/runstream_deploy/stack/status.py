"""The status of a stack: the supervisor's state, fresh checks of all services, memory and lag."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping

import psutil
from pydantic import BaseModel

from runstream_deploy.services.lag import read_lag
from runstream_deploy.stack.composition import assemble
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import read_settings
from runstream_deploy.stack.stack_file import StackFile, parse
from runstream_deploy.stack.state import HEALTHY, ServiceCondition, ServiceState, StackPhase, StackState, read_state
from runstream_schemas.topics import Topic, topic_name


class ServiceStatus(ServiceState):
    """The state of a service, with its memory and lag."""

    #: Proportional memory of the process and its descendants, in bytes.
    memory: int = 0
    #: Messages that a consumer has not stored yet; None if unknown, or not a consumer.
    lag: int | None = None


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
    services = await _services(state, stack)
    return StackStatus(
        healthy=state.phase is StackPhase.RUNNING and all(row.condition in HEALTHY for row in services),
        phase=state.phase,
        data_dir=str(folder.path),
        url=state.url,
        pid=supervisor,
        memory=_memory(supervisor, descendants=False) + sum(row.memory for row in services),
        message=state.message,
        services=services,
    )


async def _services(state: StackState, stack: StackFile) -> list[ServiceStatus]:
    stored = {name.removeprefix("RUNSTREAM_").lower(): value for name, value in state.environment.items()}
    # Seen from this process, every server is an external one.
    composition = assemble(stack, read_settings(**stored), [])
    settings = composition.settings
    checks = {external.name: external.check for external in composition.external}
    checks |= {service.name: service.check for service in composition.applications}
    rows = list(state.services.values())
    problems = await asyncio.gather(*(_check(row, checks[row.name]()) for row in rows))
    lag: Mapping[str, int] = {}
    with contextlib.suppress(OSError):
        lag = await read_lag(settings.kafka, settings.postgres, [topic_name(stack.prefix, topic) for topic in Topic])
    return [
        ServiceStatus(**{**row.model_dump(), **problem}, memory=_memory(row.pid), lag=lag.get(row.name))
        for row, problem in zip(rows, problems, strict=True)
    ]


async def _check(row: ServiceState, check: Awaitable[None]) -> dict[str, str]:
    """Return what differs from the row: the condition ``silent`` if a running service does not answer now."""
    try:
        async with asyncio.timeout(5):
            await check
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
