"""The status of a stack: the supervisor's state, fresh checks of all services, memory and lag."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping

import psutil
from pydantic import BaseModel

from runstream_deploy.services.lag import read_lag
from runstream_deploy.stack.composition import assemble, find_addresses
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.stack_file import StackFile, parse
from runstream_deploy.stack.state import ServiceCondition, ServiceState, StackPhase, StackState, read_state
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

    Raises:
        DataFolderError: The data folder is damaged, or was written by a newer release.
    """
    state, supervisor = read_state(folder), folder.supervisor()
    if state is None or supervisor is None or not folder.stack.exists():
        phase = state.phase if state and state.phase is StackPhase.FAILED else StackPhase.STOPPED
        message = state.message if state and phase is StackPhase.FAILED else "not running"
        return StackStatus(phase=phase, data_dir=str(folder.path), message=message)
    stack = parse(folder.stack.read_text(), str(folder.stack))
    services = await _services(state, stack)
    healthy = {ServiceCondition.RUNNING, ServiceCondition.EXTERNAL}
    return StackStatus(
        healthy=state.phase is StackPhase.RUNNING and all(row.condition in healthy for row in services),
        phase=state.phase,
        data_dir=str(folder.path),
        url=state.url,
        pid=supervisor,
        memory=_memory(supervisor, descendants=False) + sum(row.memory for row in services),
        message=state.message,
        services=services,
    )


async def _services(state: StackState, stack: StackFile) -> list[ServiceStatus]:
    addresses = find_addresses(stack, state.environment)
    # Seen from this process, every server is an external one.
    composition = assemble(stack, state.environment, [])
    checks = {external.name: external.check for external in composition.external}
    checks |= {service.name: service.check for service in composition.applications}
    rows = list(state.services.values())
    problems = await asyncio.gather(*(_problem(checks[row.name]()) for row in rows))
    lag: Mapping[str, int] = {}
    with contextlib.suppress(OSError):
        lag = await read_lag(addresses.kafka, addresses.postgres, [topic_name(stack.prefix, topic) for topic in Topic])
    return [
        ServiceStatus(**_with_problem(row, problem).model_dump(), memory=_memory(row.pid), lag=lag.get(row.name))
        for row, problem in zip(rows, problems, strict=True)
    ]


async def _problem(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(5):
            await check
    except OSError as error:
        return str(error) or type(error).__name__
    return ""


def _with_problem(row: ServiceState, problem: str) -> ServiceState:
    """Return the row, with the condition ``silent`` if the service does not answer now."""
    if problem and row.condition in {ServiceCondition.RUNNING, ServiceCondition.EXTERNAL}:
        return row.model_copy(update={"condition": ServiceCondition.SILENT, "problem": problem})
    return row


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
