"""The supervisor: starts the services of the stack, restarts those that exit, and stops them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping

from aiokafka.errors import KafkaError

from runstream_deploy.exceptions import ServiceError, StackError
from runstream_deploy.processes.child import process_ended
from runstream_deploy.processes.reaper import Reaper, descendants, send_signal, stat
from runstream_deploy.services.consumer_process import ConsumerProcess
from runstream_deploy.services.service import Service
from runstream_deploy.stack.composition import Composition, compose
from runstream_deploy.stack.data_folder import DataFolder, write_private
from runstream_deploy.stack.service_runner import ServiceRunner
from runstream_deploy.stack.stack_file import StackFile, open_stack_file
from runstream_deploy.stack.state import ServiceCondition, StackPhase, StackState, StateWriter

#: Signals that stop the stack. SIGHUP is sent when the terminal is closed.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(
    folder: DataFolder, environment: Mapping[str, str], listener: Callable[[StackState], None] | None = None
) -> None:
    """Run the stack of a data folder until a signal stops it.

    Args:
        folder: The data folder; created unless it exists.
        environment: Settings (``RUNSTREAM_*``).
        listener: Called at every change of the state.

    Raises:
        StackError: The stack could not be started, or is already running.
    """
    folder.create()
    with folder.hold() as lock:
        state = StateWriter(folder, listener)
        reaper = Reaper(held=[lock])
        try:
            asyncio.run(Supervisor(folder, environment, state, reaper).run())
        except Exception as error:
            # Whatever ended the stack, `status` must not report it as running.
            state.set_phase(StackPhase.FAILED, str(error) or type(error).__name__)
            raise
        finally:
            reaper.close()
        state.set_phase(StackPhase.STOPPED)


class Supervisor:
    """One run of a stack.

    Args:
        folder: The data folder, locked by this process.
        environment: Settings (``RUNSTREAM_*``).
        state: Records the state of the stack.
        reaper: Ends the services if this process is killed.
    """

    def __init__(self, folder: DataFolder, environment: Mapping[str, str], state: StateWriter, reaper: Reaper) -> None:
        self._folder = folder
        self._environment = environment
        self._state = state
        self._reaper = reaper
        self._runners: dict[str, ServiceRunner] = {}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run all services until a signal arrives, a service cannot be started, or a task of the supervisor fails."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_stop_signal)
        try:
            await self._until_stopped(self._serve())
        finally:
            await self._shut_down()

    async def _serve(self) -> None:
        composition = await self._start()
        self._state.set_phase(StackPhase.RUNNING, url=composition.url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_reaper())
            for runner in self._runners.values():
                tasks.create_task(runner.keep_running())

    async def _start(self) -> Composition:
        stack = open_stack_file(self._folder, self._environment)
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            # Called in the thread that composes the stack; the state belongs to the event loop's thread.
            loop.call_soon_threadsafe(self._state.report, line)

        composition = await asyncio.to_thread(compose, self._folder, stack, self._environment, report)
        self._add_services(composition)
        for external in composition.external:
            await external.require_answer()
        await self._start_all(composition.servers)
        self._state.report("creating topics, database and bucket")
        await self._provision(composition, stack)
        await self._start_all(composition.applications)
        self._write_discovery(composition, stack)
        return composition

    def _add_services(self, composition: Composition) -> None:
        self._state.set_environment(composition.environment)
        for external in composition.external:
            self._state.add_service(
                external.name, version="", address=external.address, condition=ServiceCondition.EXTERNAL
            )
        for service in (*composition.servers, *composition.applications):
            port = next(iter(service.ports.values()), None)
            self._state.add_service(service.name, version=service.version, address=f"127.0.0.1:{port}" if port else "")
            log = self._folder.log(service.name)
            self._runners[service.name] = ServiceRunner(service, log, self._reaper, self._state)

    async def _start_all(self, services: Iterable[Service]) -> None:
        names = [service.name for service in services]
        self._state.report(f"starting {', '.join(names)}")
        results = await asyncio.gather(*(self._runners[name].start() for name in names), return_exceptions=True)
        for name, result in zip(names, results, strict=True):
            # A consumer that does not start, perhaps from another package, is retried and does not stop the others.
            tolerated = isinstance(result, StackError) and isinstance(self._runners[name].service, ConsumerProcess)
            if tolerated:
                self._state.set_condition(name, ServiceCondition.RESTARTING, problem=str(result))
            elif isinstance(result, BaseException):
                raise result

    async def _provision(self, composition: Composition, stack: StackFile) -> None:
        try:
            await composition.provision(stack)
        except (OSError, KafkaError) as error:
            raise ServiceError("the stack", f"could not create its topics, database and bucket: {error}") from error

    def _write_discovery(self, composition: Composition, stack: StackFile) -> None:
        token = composition.environment["RUNSTREAM_TOKEN"]
        found = {"version": 1, "url": composition.url, "token": token, "entity": stack.entity}
        write_private(self._folder.discovery, json.dumps(found, indent=2))

    async def _keep_reaper(self) -> None:
        while True:
            await process_ended(self._reaper.pid)
            self._reaper.revive()

    def _on_stop_signal(self) -> None:
        if self._stop.is_set():
            # A second signal: the user does not want to wait for a clean stop.
            for runner in self._runners.values():
                runner.kill()
        self._stop.set()

    async def _until_stopped(self, work: Coroutine[None, None, None]) -> None:
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _shut_down(self) -> None:
        """Stop the applications before the servers that they use."""
        self._state.set_phase(StackPhase.STOPPING, "stopping")
        self._end_start_programs()
        servers = [name for name in ("s3", "postgres", "kafka") if name in self._runners]
        applications = [name for name in self._runners if name not in servers]
        for names in (applications, servers):
            await asyncio.gather(*(self._runners[name].stop() for name in names))

    def _end_start_programs(self) -> None:
        """End programs that a start waits for, such as Maven: the thread that waits for them cannot be cancelled."""
        services = {self._reaper.pid, *(runner.pid for runner in self._runners.values())}
        for pid, start in descendants(os.getpid()):
            if pid not in services and stat(pid)[1] == os.getpid():
                send_signal(pid, start, signal.SIGTERM)
