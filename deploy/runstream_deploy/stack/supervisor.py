"""The supervisor: starts the services of the stack, restarts those that exit, and stops them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine, Iterable

from aiokafka.errors import KafkaError

from runstream.run_folder.json_files import write_file
from runstream_deploy.exceptions import ServiceError, StackError
from runstream_deploy.processes.child import process_ended
from runstream_deploy.processes.ports import LOOPBACK
from runstream_deploy.processes.reaper import Reaper, descendants, send_signal, stat
from runstream_deploy.services.consumer_process import ConsumerProcess
from runstream_deploy.services.service import Service
from runstream_deploy.stack.composition import Composition, compose
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.service_runner import ServiceRunner
from runstream_deploy.stack.settings import StackSettings
from runstream_deploy.stack.stack_file import open_stack_file
from runstream_deploy.stack.state import ServiceCondition, ServiceState, StackPhase, StackState, StateWriter

#: Signals that stop the stack. SIGHUP is sent when the terminal is closed.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(folder: DataFolder, settings: StackSettings, listener: Callable[[StackState], None]) -> None:
    """Run the stack of a data folder, which is created unless it exists, until a signal stops it.

    The listener is called at every change of the state. StackError is raised if the stack could not be started, or is
    already running.
    """
    folder.create()
    with folder.hold() as lock:
        state = StateWriter(folder, listener)
        reaper = Reaper(held=[lock])
        try:
            asyncio.run(Supervisor(folder, settings, state, reaper).run())
        except Exception as error:
            # Whatever ended the stack, `status` must not report it as running.
            state.set_phase(StackPhase.FAILED, str(error) or type(error).__name__)
            raise
        finally:
            reaper.close()
        state.set_phase(StackPhase.STOPPED)


class Supervisor:
    """One run of a stack, whose data folder is locked; the reaper ends its services if this process is killed."""

    def __init__(self, folder: DataFolder, settings: StackSettings, state: StateWriter, reaper: Reaper) -> None:
        self._folder = folder
        self._settings = settings
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
        stack = open_stack_file(self._folder, self._settings)
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            # Called in the thread that composes the stack; the state belongs to the event loop's thread.
            loop.call_soon_threadsafe(self._state.report, line)

        composition = await asyncio.to_thread(compose, self._folder, stack, self._settings, report)
        self._add_services(composition)
        for external in composition.external:
            await external.require_answer()
        await self._start_all(composition.servers)
        self._state.report("creating topics, database and bucket")
        try:
            await composition.provision()
        except (OSError, KafkaError) as error:
            raise ServiceError("the stack", f"could not create its topics, database and bucket: {error}") from error
        await self._start_all(composition.applications)
        found = {"version": 1, "url": composition.url, "token": composition.settings.token, "entity": stack.entity}
        write_file(self._folder.discovery, json.dumps(found, indent=2).encode(), durable=True)
        return composition

    def _add_services(self, composition: Composition) -> None:
        # For `status`.
        self._state.state.environment = composition.settings.variables()
        for external in composition.external:
            row = ServiceState(name=external.name, address=external.address, condition=ServiceCondition.EXTERNAL)
            self._state.add_service(row)
        for service in (*composition.servers, *composition.applications):
            address = next((f"{LOOPBACK}:{port}" for port in service.ports.values()), "")
            self._state.add_service(ServiceState(name=service.name, version=service.version, address=address))
            log = self._folder.log(service.name)
            self._runners[service.name] = ServiceRunner(service, log, self._reaper, self._state)

    async def _start_all(self, services: Iterable[Service]) -> None:
        names = [service.name for service in services]
        self._state.report(f"starting {', '.join(names)}")
        results = await asyncio.gather(*(self._runners[name].start() for name in names), return_exceptions=True)
        for name, result in zip(names, results, strict=True):
            # A consumer that does not start, perhaps from another package, is retried and does not stop the others.
            if isinstance(result, StackError) and isinstance(self._runners[name].service, ConsumerProcess):
                self._state.set_condition(name, ServiceCondition.RESTARTING, problem=str(result))
            elif isinstance(result, BaseException):
                raise result

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
