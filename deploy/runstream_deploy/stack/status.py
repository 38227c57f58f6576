"""What ``runstream status`` finds out: the supervisor's state, fresh answers of all services, memory and lag."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import psutil
from pydantic import BaseModel

from runstream_deploy.stack.composition import assemble, find_addresses
from runstream_deploy.stack.lag import read_lag
from runstream_deploy.stack.stack_file import parse
from runstream_deploy.stack.state import Condition, Phase, ServiceState, StackState, read_state
from runstream_schemas.topics import Topic, topic_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from runstream_deploy.stack.data_folder import DataFolder
    from runstream_deploy.stack.stack_file import StackFile


class ServiceStatus(ServiceState):
    """One row: the supervisor's, and what was found out besides."""

    #: Resident memory of the process and all below it, bytes.
    memory: int = 0
    #: Messages a consumer has not stored yet; None for what is no consumer or does not say.
    lag: int | None = None


class Status(BaseModel):
    """The answer of ``runstream status``."""

    healthy: bool
    phase: Phase
    data_dir: str
    url: str
    #: The supervisor's process, None where none runs.
    pid: int | None
    #: Resident memory of everything, the supervisor included, bytes.
    memory: int
    message: str
    services: list[ServiceStatus]


async def read_status(folder: DataFolder) -> Status:
    """Return how the stack of a data folder does now; reads only.

    Raises:
        DataRefused: the folder's data is damaged, or of a newer release.
    """
    state, supervisor = read_state(folder), folder.supervisor()
    if state is None or supervisor is None or not folder.stack.exists():
        phase = state.phase if state and state.phase is Phase.FAILED else Phase.STOPPED
        message = state.message if state and phase is Phase.FAILED else "not running"
        return Status(
            healthy=False,
            phase=phase,
            data_dir=str(folder.path),
            url="",
            pid=None,
            memory=0,
            message=message,
            services=[],
        )
    stack = parse(folder.stack.read_text(), str(folder.stack))
    services = await _services(state, stack)
    fine = {Condition.RUNNING, Condition.OUTSIDE}
    return Status(
        healthy=state.phase is Phase.RUNNING and all(row.condition in fine for row in services),
        phase=state.phase,
        data_dir=str(folder.path),
        url=state.url,
        pid=supervisor,
        memory=_memory(supervisor, below=False) + sum(row.memory for row in services),
        message=state.message,
        services=services,
    )


async def _services(state: StackState, stack: StackFile) -> list[ServiceStatus]:
    addresses = find_addresses(stack, state.environment)
    # From here every server is an outside one: it is only spoken to.
    composition = assemble(stack, state.environment, [])
    checks = {outside.name: outside.check for outside in composition.outside}
    checks |= {reader.name: reader.check for reader in composition.readers}
    rows = list(state.services.values())
    problems = await asyncio.gather(*(_problem(checks[row.name]()) for row in rows))
    lag: Mapping[str, int] = {}
    with contextlib.suppress(OSError):
        lag = await read_lag(addresses.kafka, addresses.postgres, [topic_name(stack.prefix, topic) for topic in Topic])
    return [
        ServiceStatus(**_answering(row, problem).model_dump(), memory=_memory(row.pid), lag=lag.get(row.name))
        for row, problem in zip(rows, problems, strict=True)
    ]


async def _problem(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(5):
            await check
    except OSError as error:
        return str(error) or type(error).__name__
    return ""


def _answering(row: ServiceState, problem: str) -> ServiceState:
    """Return the row, silent where the service does not answer just now."""
    if problem and row.condition in {Condition.RUNNING, Condition.OUTSIDE}:
        return row.model_copy(update={"condition": Condition.SILENT, "problem": problem})
    return row


def _memory(pid: int | None, *, below: bool = True) -> int:
    if pid is None:
        return 0
    try:
        process = psutil.Process(pid)
        processes = [process, *(process.children(recursive=True) if below else [])]
    except psutil.Error:
        return 0
    total = 0
    for each in processes:
        with contextlib.suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total
