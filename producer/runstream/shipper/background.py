"""Background tasks that cannot end unnoticed. All tasks of the shipper are started here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class BackgroundTasks:
    """Starts tasks, and reports the name and the first unexpected error of each to its owner."""

    def __init__(self, on_failure: Callable[[str, Exception], None]) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a task."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    async def close(self, timeout_s: float | None = None) -> None:
        """Cancel the tasks and wait until they have ended, at most ``timeout_s`` seconds."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def handle_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report an error in a callback; errors that nobody awaited, as in aiokafka, are only logged."""
        error = context.get("exception")
        if "handle" in context and isinstance(error, Exception):
            self._on_failure(str(context["message"]), error)
        else:
            loop.default_exception_handler(context)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, Exception):
            raise error  # KeyboardInterrupt or SystemExit: asyncio has raised it already
        self._on_failure(task.get_name(), error)


async def retry(
    attempt: Callable[[], Awaitable[Result]],
    expected: type[Exception] | tuple[type[Exception], ...],
    *,
    first_s: float,
    longest_s: float,
    problem: str,
) -> Result:
    """Return what an attempt returns, repeating it after an expected error, with pauses that double.

    ``problem`` is what has failed, for the log. Other errors than the expected ones are raised.
    """
    pause = first_s
    while True:
        try:
            return await attempt()
        except expected as error:
            log.warning("%s; retrying in %.1f s: %s", problem, pause, error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest_s)
