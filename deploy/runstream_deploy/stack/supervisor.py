"""The supervisor: starts the stack, keeps it running, stops it; it outlives none of its services, nor they it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from runstream_deploy.exceptions import ServiceFailed, StackError
from runstream_deploy.processes.child import process_ended
from runstream_deploy.processes.reaper import Reaper, descendants, send, stat
from runstream_deploy.services.consumer_process import ConsumerProcess
from runstream_deploy.stack.composition import Composition, compose
from runstream_deploy.stack.data_folder import DataFolder, write_private
from runstream_deploy.stack.stack_file import StackFile, open_stack_file
from runstream_deploy.stack.state import Board, Condition, Phase
from runstream_deploy.stack.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from runstream_deploy.services.service import Service
    from runstream_deploy.stack.state import StackState

#: Signals that mean: stop everything and end. SIGHUP comes when the terminal is closed.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(
    folder: DataFolder, environment: Mapping[str, str], listener: Callable[[StackState], None] | None = None
) -> None:
    """Run the stack of a data folder until a signal says stop.

    Args:
        folder: The data folder; made where it does not exist.
        environment: Settings (``RUNSTREAM_*``).
        listener: Called at every change of state.

    Raises:
        StackError: the stack could not be started, or was already running.
    """
    folder.make()
    with folder.held() as lock:
        board = Board(folder, listener)
        reaper = Reaper(held=[lock])
        try:
            asyncio.run(Supervisor(folder, environment, board, reaper).run())
        except StackError as error:
            board.phase(Phase.FAILED, str(error))
            raise
        finally:
            reaper.close()
        board.phase(Phase.STOPPED)


class Supervisor:
    """One run of a stack.

    Args:
        folder: The data folder, held by this process.
        environment: Settings (``RUNSTREAM_*``).
        board: Shows how the stack does.
        reaper: Ends what runs should this process be killed.
    """

    def __init__(self, folder: DataFolder, environment: Mapping[str, str], board: Board, reaper: Reaper) -> None:
        self._folder = folder
        self._environment = environment
        self._board = board
        self._reaper = reaper
        self._watches: dict[str, Watch] = {}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start everything, keep it, and stop it when a signal says so or something cannot be started."""
        loop = asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, self._asked_to_stop)
        try:
            await self._until_stopped(self._work())
        finally:
            await self._shut_down()

    async def _work(self) -> None:
        composition = await self._start()
        self._board.phase(Phase.RUNNING, url=composition.url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_reaper())
            for watch in self._watches.values():
                tasks.create_task(watch.keep())

    async def _start(self) -> Composition:
        stack = open_stack_file(self._folder, self._environment)
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            # From the thread that composes the stack to the one that owns the board.
            loop.call_soon_threadsafe(self._board.report, line)

        composition = await asyncio.to_thread(compose, self._folder, stack, self._environment, report)
        self._show(composition)
        for outside in composition.outside:
            await outside.require_answer()
        await self._start_all(composition.servers)
        self._board.report("making topics, database and bucket")
        await self._furnish(composition, stack)
        await self._start_all(composition.readers)
        self._announce(composition, stack)
        return composition

    def _show(self, composition: Composition) -> None:
        self._board.told(composition.environment)
        for outside in composition.outside:
            self._board.add(outside.name, version="", address=outside.address, condition=Condition.OUTSIDE)
        for service in (*composition.servers, *composition.readers):
            port = next(iter(service.ports.values()), None)
            self._board.add(service.name, version=service.version, address=f"127.0.0.1:{port}" if port else "")
            self._watches[service.name] = Watch(service, self._folder.log(service.name), self._reaper, self._board)

    async def _start_all(self, services: Iterable[Service]) -> None:
        names = [service.name for service in services]
        self._board.report(f"starting {', '.join(names)}")
        results = await asyncio.gather(*(self._watches[name].start() for name in names), return_exceptions=True)
        for name, result in zip(names, results, strict=True):
            # A consumer, which may be a stranger's, is tried again and shown, and keeps nothing else from running.
            tolerated = isinstance(result, StackError) and isinstance(self._watches[name].service, ConsumerProcess)
            if tolerated:
                self._board.service(name, Condition.RESTARTING, problem=str(result))
            elif isinstance(result, BaseException):
                raise result

    async def _furnish(self, composition: Composition, stack: StackFile) -> None:
        try:
            await composition.furnish(stack)
        except (OSError, KafkaError) as error:
            raise ServiceFailed("the stack", f"could not make its topics, database and bucket: {error}") from error

    def _announce(self, composition: Composition, stack: StackFile) -> None:
        token = composition.environment["RUNSTREAM_TOKEN"]
        found = {"version": 1, "url": composition.url, "token": token, "entity": stack.entity}
        write_private(self._folder.discovery, json.dumps(found, indent=2))

    async def _keep_reaper(self) -> None:
        while True:
            await process_ended(self._reaper.pid)
            self._reaper.revive()

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            # Asked twice: the user does not want to wait for a clean end.
            for watch in self._watches.values():
                watch.kill()
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
        """Stop readers before the servers they use."""
        self._board.phase(Phase.STOPPING, "stopping")
        self._end_tools()
        servers = [name for name in ("s3", "postgres", "kafka") if name in self._watches]
        readers = [name for name in self._watches if name not in servers]
        for names in (readers, servers):
            await asyncio.gather(*(self._watches[name].stop() for name in names))

    def _end_tools(self) -> None:
        """End what a start still waits for, such as Maven: a thread that waits for it cannot be told to stop."""
        services = {self._reaper.pid, *(watch.pid for watch in self._watches.values())}
        for pid, start in descendants(os.getpid()):
            if pid not in services and stat(pid)[1] == os.getpid():
                send(pid, start, signal.SIGTERM)
