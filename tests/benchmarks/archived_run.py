"""A long run with metrics as training logs them, written to the tables without consumers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import numpy as np

from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.history.model import WriterSteps, measure
from runstream_consumers.history.store import BLOCK_COLUMNS
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import events
from runstream_schemas.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from runstream_schemas.topics import RunPath

BLOCK = 500
_ADD_RUN = "insert into history.run values ($1, $2, $3, $4) on conflict do nothing"
_SAVE_WRITER = """
insert into history.writer values ($1, $2, 1, $3, $4, $5, 0, 0, 0, 1)
on conflict (run, stream, writer) do update set greatest = excluded.greatest, rows = excluded.rows
"""
NOON = 1_795_262_400_000_000
METRICS = 20
SPIKE = "train/metric_0"


@dataclass(slots=True)
class LongRun:
    """Writes blocks of a run; the spike of the first metric is at a third of the rows."""

    dsn: str
    run: RunPath
    rows: int
    #: Returns the values of some steps of a run of so many rows.
    values_at: Callable[[NDArray[np.int64], int], dict[str, NDArray[np.float64]]] = field(
        default_factory=lambda: metrics
    )
    _written: int = 0
    _steps: WriterSteps = field(default_factory=WriterSteps)
    _writer: events.Writer = field(
        default_factory=lambda: events.Writer(id=uuid.uuid4().bytes, role=events.Role.PRIMARY)
    )

    async def prepare(self) -> None:
        """Create the tables."""
        async with connected(self.dsn, application="bench") as connection:
            await migrate_all(connection, HistoryConsumer())

    async def write(self, rows: int) -> None:
        """Add rows, in blocks of 500."""
        connection = await asyncpg.connect(self.dsn)
        try:
            blocks = [self._block() for _ in range(rows // BLOCK)]
            async with connection.transaction():
                path = (self.run.entity, self.run.project, self.run.run_id)
                key = run_key(self.run)
                await connection.execute(
                    "insert into history.run values ($1, $2, $3, $4) on conflict do nothing", key, *path
                )
                await connection.copy_records_to_table(
                    "block", schema_name="history", records=blocks, columns=BLOCK_COLUMNS
                )
                await connection.execute(
                    _SAVE_WRITER,
                    key,
                    uuid.UUID(bytes=self._writer.id),
                    self._steps.greatest,
                    BLOCK,
                    self._steps.rows,
                )
        finally:
            await connection.close()

    def _block(self) -> tuple[Any, ...]:
        steps = np.arange(self._written, self._written + BLOCK)
        self._written += BLOCK
        values = self.values_at(steps, self.rows)
        event = events.LogEvent(
            header=events.Header(
                kind=events.Kind.DATA, run=self.run, writer=self._writer, time=NOON, seq=int(steps[0]), count=BLOCK
            ),
            stream=events.Stream.HISTORY,
            orders=steps,
            steps=steps,
            times=times(steps),
            columns=[
                events.Column(path=(name,), type=events.ColumnType.FLOAT64, values=column)
                for name, column in values.items()
            ],
        )
        before = self._steps
        found, self._steps = measure(event, before)
        offset = int(steps[0]) // BLOCK
        return (
            run_key(self.run),
            1,
            offset,
            int(steps[0]),
            0,
            uuid.UUID(bytes=self._writer.id),
            BLOCK,
            found.least,
            found.greatest,
            int(event.times.min()),
            int(event.times.max()),
            NOON + offset,
            before.greatest if offset else None,
            found.late,
            encode(event),
        )


def times(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times a millisecond apart, with jitter."""
    return NOON + steps * 1000 + np.random.default_rng(int(steps[0])).integers(0, 80, len(steps))


def metrics(steps: NDArray[np.int64], rows: int) -> dict[str, NDArray[np.float64]]:
    """Return twenty metrics: noisy curves (a third of them computed as float32), schedules, counters, percentages."""
    random = np.random.default_rng(int(steps[0]) + 1)
    size, at = len(steps), steps / rows
    curves = [2.5 * np.exp(-(3 + number) * at) + 0.3 + random.normal(0, 0.02, size) for number in range(8)]
    single = [
        one.astype(np.float32).astype(np.float64) + 0.0
        for one in (curves[0] * 2, curves[1] / 3, curves[2], curves[3] * 7)
    ]
    schedules = [1.5e-4 * (1 + np.cos(np.pi * at)), 3e-4 * 0.9 ** np.floor(at * 40)]
    counters = [steps * 256.0, np.floor(steps / 1000.0)]
    rounded = [
        np.round(50 + random.normal(0, 5, size), 2),
        np.round(0.9 * (1 - np.exp(-5 * at)) + random.normal(0, 0.01, size), 4),
    ]
    others = [np.full(size, 0.9), random.random(size)]
    found = [*curves, *single, *schedules, *counters, *rounded, *others]
    found[0][steps == rows // 3] = 100.0
    return {f"train/metric_{number}": column for number, column in enumerate(found)}
