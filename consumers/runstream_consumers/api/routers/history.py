"""Rows of a run: sampled, exact, console lines and system metrics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.documents.series import rows_json, series_json
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.services import TheConnection, TheRun
from runstream_consumers.history import reader as history
from runstream_consumers.history.reader import Cursor
from runstream_schemas.events import Stream

router = APIRouter(prefix="/api/v1/runs/{entity}/{project}/{run_id}", tags=["history"])

#: Steps and offsets are 64-bit integers.
_LEAST, _GREATEST = -(2**63), 2**63 - 1

Keys = Annotated[list[str] | None, Query(description="Only these; a dict's name stands for all below it. Repeatable.")]
Samples = Annotated[int, Query(ge=1, le=20_000, description="Most points of one key")]
MinStep = Annotated[int | None, Query(ge=_LEAST, le=_GREATEST, description="First step, inclusive")]
MaxStep = Annotated[int | None, Query(ge=_LEAST, le=_GREATEST, description="End step, exclusive")]
Late = Annotated[
    Literal["include", "exclude"], Query(description="Rows below their writer's greatest step, or at a step taken")
]
Hidden = Annotated[bool, Query(description="Also rows that a resume or a rewind took the place of, with `_hidden`")]
StreamName = Annotated[Literal["history", "system", "console"], Query()]


@router.get("/history", summary="Rows, sampled where there are many", responses=described(models.SampledRows))
async def sampled(
    run: TheRun,
    connection: TheConnection,
    *,
    keys: Keys = None,
    samples: Samples = 500,
    min_step: MinStep = None,
    max_step: MaxStep = None,
    stream: StreamName = "history",
    late: Late = "include",
) -> Response:
    """Return all rows if there are no more than `samples`, else rows that keep each key's extremes."""
    known = await documents.find(connection, run)
    within: dict[str, Any] = {"stream": Stream(stream), "keys": keys, "min_step": min_step, "max_step": max_step}
    within["late"] = late == "include"
    page = await history.scan(connection, run, limit=samples, **within)
    if page.next is None:
        rows = [documents.row_json(row, known.started) for row in page.rows]
    else:
        rows = rows_json(await history.series(connection, run, samples=samples, **within), known.started)
    return ValuesResponse({"sampled": page.next is not None, "rows": rows})


@router.get("/series", summary="Points of each metric, for a chart", responses=described(models.SeriesList))
async def series(
    run: TheRun,
    connection: TheConnection,
    *,
    keys: Keys = None,
    samples: Samples = 500,
    min_step: MinStep = None,
    max_step: MaxStep = None,
    stream: StreamName = "history",
    late: Late = "include",
) -> Response:
    """Return for each numeric key and writer its steps, times and values; at most `samples` points each.

    A writer and those that it continues are one; a fork's writer and those whose rows it inherits, too.
    """
    known = await documents.find(connection, run)
    origins: dict[bytes, history.Origin] = {}
    found = await history.series(
        connection,
        run,
        keys=keys,
        samples=samples,
        stream=Stream(stream),
        min_step=min_step,
        max_step=max_step,
        late=late == "include",
        joined=True,
        origins=origins,
    )
    writers = [] if known.state is None else known.state.writers
    return ValuesResponse({"series": series_json(found, documents.labels(writers), origins)})


@router.get("/scan", summary="Every row, page by page", responses=described(models.RowPage))
async def scan(
    run: TheRun,
    connection: TheConnection,
    *,
    keys: Keys = None,
    min_step: MinStep = None,
    max_step: MaxStep = None,
    page_size: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    cursor: Annotated[str | None, Query(description="`next` of the answer before")] = None,
    stream: StreamName = "history",
    late: Late = "include",
    hidden: Hidden = False,
) -> Response:
    """Return rows by step, exact, nothing merged; with `keys`, the rows that have one of them."""
    known = await documents.find(connection, run)
    page = await history.scan(
        connection,
        run,
        stream=Stream(stream),
        keys=keys,
        min_step=min_step,
        max_step=max_step,
        after=None if cursor is None else _cursor(cursor),
        limit=page_size,
        late=late == "include",
        hidden=hidden,
    )
    return ValuesResponse(
        {
            "rows": [documents.row_json(row, known.started) for row in page.rows],
            "next": None if page.next is None else ".".join(str(number) for number in page.next),
        }
    )


@router.get("/console", summary="The end of what the run printed", responses=described(models.ConsoleAnswer))
async def console(
    run: TheRun, connection: TheConnection, lines: Annotated[int, Query(ge=1, le=10_000)] = 200
) -> Response:
    """Return the last lines, oldest first, each with its stream, time, label and host."""
    await documents.find(connection, run)
    rows = await history.tail(connection, run, stream=Stream.CONSOLE, rows=lines)
    return ValuesResponse(
        {"lines": [{"time": documents.seconds(row.time), "writer": row.writer.hex(), **row.values} for row in rows]}
    )


@router.get("/system", summary="Metrics of the machine, sampled", responses=described(models.SeriesList))
async def system(run: TheRun, connection: TheConnection, samples: Samples = 500) -> Response:
    """Return the series of the stream `system`: processor, memory, disk, network, accelerators, the process.

    Each is under the writer whose process and machine were measured, with that one's label and host.
    """
    return await series(run, connection, samples=samples, stream="system")


def _cursor(text: str) -> Cursor:
    try:
        numbers = [int(part) for part in text.split(".")]
        if all(_LEAST <= number <= _GREATEST for number in numbers):
            return Cursor(*numbers)
    except (TypeError, ValueError):
        pass
    raise BadParameter("cursor", "is not the `next` of an answer")
