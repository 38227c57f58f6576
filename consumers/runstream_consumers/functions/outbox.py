"""Messages to other systems: stored with the results that they follow from, and sent afterwards, at least once.

A message is identified by consumer, run and key. Rows stay in the table after they are sent, also when the consumer's
tables are rebuilt, so that nothing is sent because of a replay.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, TypeAlias

from runstream_consumers.runtime.faults import is_service_error
from runstream_consumers.runtime.plugin import Connection, Context
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_consumers.runtime.postgres.store import to_postgres_text
from runstream_schemas import values

log = logging.getLogger(__name__)

QUERIES = load_queries(files("runstream_consumers.functions") / "queries.sql")

#: Longest duration of one attempt.
_ATTEMPT_S = 30.0
#: How long a message that another process may be sending is left alone; longer than an attempt.
_LEASE_S = 60.0
#: Longest pause after a failed attempt; it doubles from one second.
_LONGEST_PAUSE_S = 300.0
#: How often the table is read after a change, for how long, and how often otherwise.
_INTERVAL_S, _ACTIVE_S, _IDLE_INTERVAL_S = 0.25, 15.0, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that is to be sent."""

    #: The same at every attempt: consumer, run and key.
    id: str
    #: ``entity/project/run_id``.
    run: str
    key: str
    #: What was passed to ``once``.
    content: Any
    #: The same as JSON text.
    text: str


#: Sends a message; an exception means that it must be sent again.
Deliver: TypeAlias = "Callable[[Message], Awaitable[None] | None]"


@dataclass(slots=True, kw_only=True)
class Outbox:
    """The messages of one partition number."""

    context: Context
    partition: int
    deliver: Deliver
    _changed: float = field(default_factory=time.monotonic)

    async def add(self, connection: Connection, messages: Iterable[tuple[str, str, str]]) -> None:
        """Store messages, given as run, key and text, within the open transaction; known ones change nothing."""
        if rows := list(messages):
            await connection.execute(QUERIES["add"], self.context.name, self.partition, *columns_of(rows))
            self._changed = time.monotonic()

    async def run(self) -> None:
        """Send what is due until cancelled; an unreachable service is tried again after a growing pause."""
        while True:
            pause = await self._send_next()
            if pause is None:
                is_active = time.monotonic() - self._changed < _ACTIVE_S
                pause = _INTERVAL_S if is_active else _IDLE_INTERVAL_S
            await asyncio.sleep(pause)

    async def _send_next(self) -> float | None:
        """Send the message that is due first; return the pause after it, None if there was none."""
        async with self.context.connection() as connection:
            row = await connection.fetchrow(QUERIES["claim"], self.context.name, self.partition, _LEASE_S)
        if row is None:
            return None
        error = await self._attempt(row["run"], row["key"], row["message"])
        pause = min(2.0 ** min(row["attempts"] - 1, 10), _LONGEST_PAUSE_S)
        async with self.context.connection() as connection:
            if error is None:
                await connection.execute(QUERIES["mark_sent"], row["id"])
                return 0.0
            reason = to_postgres_text(f"{type(error).__name__}: {error}")
            await connection.execute(QUERIES["postpone"], row["id"], pause, reason)
        log.warning("message %s of %s is sent again in %.0f s: %s", row["key"], row["run"], pause, reason)
        # If the service is down, the other messages wait, too.
        return pause if is_service_error(error) else 0.0

    async def _attempt(self, run: str, key: str, text: str) -> Exception | None:
        message = Message(id=f"{self.context.name}/{run}/{key}", run=run, key=key, content=values.load(text), text=text)
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                result = await asyncio.to_thread(self.deliver, message)
                if result is not None:
                    await result
        except Exception as error:  # noqa: BLE001 — the code of a user; stored and logged by the caller
            return error
        return None
