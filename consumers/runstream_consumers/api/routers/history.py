"""Rows of a run: sampled, exact, console lines and system metrics."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import (
    ARROW,
    PiecesResponse,
    ValuesResponse,
    described,
    is_arrow_wanted,
    rows_described,
)
from runstream_consumers.api.documents.row_pages import render_rows
from runstream_consumers.api.documents.row_positions import FIELDS, RUNTIME, TIMESTAMP
from runstream_consumers.api.documents.series_pages import CurveList, render_curves, render_series
from runstream_consumers.api.problems import BadParameter, Unavailable
from runstream_consumers.api.services import CostlyReads, Name, TheClient, TheReads, TheRun, TheServices, run_path
from runstream_consumers.archive.bulk.page import BulkPage
from runstream_consumers.archive.bulk.scanning import scan_in_bulk
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.history import reader as history
from runstream_consumers.history.arrivals import console
from runstream_consumers.history.arrivals.console import ConsoleCursor
from runstream_consumers.history.arrivals.rows import BEGINNING, Place
from runstream_consumers.history.reader import Cursor, Origin, RowQuery
from runstream_consumers.liveness.reader import writers_of_runs
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

router = APIRouter(prefix="/api/v1/runs/{entity}/{project}/{run_id}", tags=["history"])
of_projects = APIRouter(prefix="/api/v1/projects/{entity}/{project}", tags=["history"])

#: Steps and offsets are 64-bit integers.
_LEAST, _GREATEST = -(2**63), 2**63 - 1
#: Runs of which one request reads the series.
_MOST_RUNS = 200
#: Rows of a page.
_LARGEST_PAGE, _LARGEST_JSON_PAGE = 1_048_576, 10_000
#: Values after which an Arrow page ends: about 16 MiB.
_ARROW_VALUES = 2_000_000
#: Bytes of a response with charts that is kept, at most.
_LARGEST_KEPT = 4 * 1024 * 1024
#: Seconds within which rows are read, decoded and rendered.
_DEADLINE_S = 60.0

Keys = Annotated[list[str] | None, Query(description="Only these; a dict's name selects all below it. Repeatable.")]
Samples = Annotated[int, Query(ge=1, le=20_000, description="Maximum number of rows, or of points of one key")]
MinStep = Annotated[int | None, Query(ge=_LEAST, le=_GREATEST, description="First step, inclusive")]
MaxStep = Annotated[int | None, Query(ge=_LEAST, le=_GREATEST, description="End step, exclusive")]
Late = Annotated[
    Literal["include", "exclude"],
    Query(description="Rows below their writer's greatest step, or at a step that another row has"),
]
Hidden = Annotated[bool, Query(description="Also rows that a resume or a rewind replaced, with `_hidden`")]
FieldName = Literal["_step", "_timestamp", "_runtime", "_writer", "_late", "_hidden"]
StreamName = Annotated[Literal["history", "system", "console"], Query()]


async def row_query(
    *,
    keys: Keys = None,
    min_step: MinStep = None,
    max_step: MaxStep = None,
    stream: StreamName = "history",
    late: Late = "include",
) -> RowQuery:
    """Return which rows a request selects."""
    return RowQuery(stream=Stream(stream), keys=keys, min_step=min_step, max_step=max_step, late=late == "include")


TheQuery = Annotated[RowQuery, Depends(row_query)]


@dataclass(frozen=True, slots=True)
class RowForm:
    """How the rows of a response are written."""

    is_arrow: bool
    fields: Collection[str]

    @property
    def has_times(self) -> bool:
        """Whether rows have a field that depends on their time."""
        return not {TIMESTAMP, RUNTIME}.isdisjoint(self.fields)

    async def page(self, rows: history.RowTable | BulkPage | None, started: float | None, **others: Any) -> Response:
        """Return the response with rows, and with other fields, which Arrow has as metadata."""
        return await asyncio.to_thread(self._response, rows, started, others)

    def _response(self, rows: history.RowTable | BulkPage | None, started: float | None, others: Any) -> Response:
        headers = {"Vary": "Accept"}
        if not self.is_arrow and not isinstance(rows, BulkPage):
            text = render_rows(rows, started, self.fields, **others)
            return Response(text, media_type="application/json", headers=headers)
        from runstream_consumers.api.documents import arrow_rows  # noqa: PLC0415 — imports pyarrow

        if isinstance(rows, BulkPage):
            pieces = arrow_rows.render_chunks(rows.chunks, started, self.fields, **others)
        else:
            pieces = arrow_rows.render_rows(rows, started, self.fields, **others)
        return PiecesResponse(pieces, ARROW, headers)


async def row_form(
    fields: Annotated[
        list[FieldName] | None, Query(description="Of what every row has, only these. Repeatable.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> RowForm:
    """Return how a request asks for rows."""
    return RowForm(is_arrow_wanted(accept), FIELDS if fields is None else fields)


TheForm = Annotated[RowForm, Depends(row_form)]


@router.get("/history", summary="Rows, sampled if there are many", responses=rows_described(models.SampledRows))
async def sampled(run: TheRun, reads: TheReads, query: TheQuery, form: TheForm, samples: Samples = 500) -> Response:
    """Return all rows if there are no more than `samples`, else so many rows, among them each key's extremes."""
    async with reading(reads) as connection:
        started, blocks = await documents.client_start(connection, run), reads.blocks(connection)
        page = await history.scan(blocks, run, query, limit=samples)
        if page.next is None:
            return await form.page(page.table, started, sampled=False)
        table = await history.sample(blocks, run, query, samples=samples)
        return await form.page(table, started, sampled=True)


@router.get(
    "/series",
    summary="Points of each metric, for a chart",
    responses={**described(models.SeriesList), 304: {"description": "The client has the points, by their entity tag"}},
)
async def series(
    request: Request, run: TheRun, reads: TheReads, services: TheServices, *, query: TheQuery, samples: Samples = 500
) -> Response:
    """Return for each numeric key and writer its steps, times and values; at most `samples` points each.

    A writer and those that it continues form one series; so do a fork's writer and those whose rows it inherits. The
    response has an `ETag`; a request with `If-None-Match` gets 304 while the rows of the run are unchanged.
    """
    async with reading(reads) as connection:
        labels = await documents.writer_labels(connection, run)
        origins: dict[bytes, Origin] = {}

        async def draw(known: Collection[str]) -> tuple[str, bytes | None]:
            return await history.chart(
                reads.blocks(connection),
                run,
                query,
                samples=samples,
                origins=origins,
                render=lambda points: render_series(points, labels, origins),
                known=known,
            )

        return await _drawn(request, services.charts, (run, query, samples, labels), draw)


@of_projects.get(
    "/series",
    summary="Points of metrics of several runs",
    responses={**described(CurveList), 304: {"description": "The client has the points, by their entity tag"}},
)
async def curves(
    request: Request,
    entity: Name,
    project: Name,
    services: TheServices,
    client: TheClient,
    *,
    run: Annotated[list[str], Query(min_length=1, max_length=_MOST_RUNS, description="Ids of runs. Repeatable.")],
    keys: Annotated[list[str], Query(min_length=1, description="As for one run. Repeatable.")],
    min_step: MinStep = None,
    max_step: MaxStep = None,
    samples: Annotated[int, Query(ge=1, le=2000, description="Maximum number of points of one key")] = 500,
) -> Response:
    """Return for each run the series that `/series` has of it; a run of which nothing has arrived has none.

    The response has an `ETag`, as that of `/series`.
    """
    paths = [run_path(entity, project, one) for one in dict.fromkeys(run)]
    reads = CostlyReads(services, client, RunPath(entity=entity, project=project, run_id=""))
    async with reading(reads) as connection:
        query = RowQuery(keys=keys, min_step=min_step, max_step=max_step)
        writers = await writers_of_runs(connection, paths)
        labels = documents.labels([one for of_run in writers.values() for one in of_run])

        async def draw(known: Collection[str]) -> tuple[str, bytes | None]:
            blocks = reads.blocks(connection)
            etag, found = await history.curves(blocks, paths, query, samples=samples, known=known)
            return etag, None if found is None else await asyncio.to_thread(render_curves, found, labels)

        return await _drawn(request, services.charts, (paths, query, samples, labels), draw)


async def _drawn(
    request: Request,
    kept: Cache[tuple[str, bytes]],
    asked: Any,
    draw: Callable[[Collection[str]], Awaitable[tuple[str, bytes | None]]],
) -> Response:
    """Return the response with a chart, which is drawn again only if rows have changed; 304 if the client has it.

    ``asked`` is what it depends on beside rows, and ``draw`` returns the fingerprint of the rows, and None if it is one
    of those that are known.
    """
    place = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).digest()
    has = request.headers.get("if-none-match", "").removeprefix('W/"').removesuffix('"')
    last, text = kept.get(place) or ("", b"")
    etag, drawn = await draw({one for one in (has, last) if one})
    headers = {"ETag": f'W/"{etag}"'}
    if drawn is not None:
        if len(drawn) <= _LARGEST_KEPT:
            kept.put(place, (etag, drawn), len(drawn) + 500)
        return _json(drawn, headers)
    return Response(status_code=304, headers=headers) if etag == has else _json(text, headers)


@router.get("/scan", summary="Every row, page by page", responses=rows_described(models.RowPage))
async def scan(
    run: TheRun,
    reads: TheReads,
    query: TheQuery,
    form: TheForm,
    *,
    page_size: Annotated[
        int, Query(ge=1, le=_LARGEST_PAGE, description="Up to 10 000 as JSON; an Arrow page of many values has fewer")
    ] = 1000,
    cursor: Annotated[str | None, Query(description="`next` of the previous response")] = None,
    hidden: Hidden = False,
) -> Response:
    """Return rows by step, exact, nothing merged; with `keys`, the rows that have one of them."""
    if not form.is_arrow and page_size > _LARGEST_JSON_PAGE:
        raise BadParameter("page_size", f"Input should be less than or equal to {_LARGEST_JSON_PAGE} for JSON")
    mark = _mark(run, query, hidden=hidden)
    after = None if cursor is None else _cursor(cursor, mark)
    values = _ARROW_VALUES if form.is_arrow else _GREATEST
    async with reading(reads) as connection:
        started, blocks = await documents.client_start(connection, run), reads.blocks(connection)
        page: history.Page | BulkPage
        if form.is_arrow and not hidden:
            page = await scan_in_bulk(
                blocks, run, query, after=after, limit=page_size, values=values, with_times=form.has_times
            )
        else:
            page = await history.scan(blocks, run, query, after=after, limit=page_size, hidden=hidden, values=values)
        following = None if page.next is None else _joined((*page.next, mark))
        response = await form.page(page if isinstance(page, BulkPage) else page.table, started, next=following)
        if following is not None:
            # The client may request the next page while it receives this one.
            response.headers["Link"] = f'<?cursor={following}>; rel="next"'
        return response


@router.get("/console", summary="Lines of the console", responses=described(models.ConsoleAnswer))
async def console_lines(
    run: TheRun,
    reads: TheReads,
    *,
    lines: Annotated[int, Query(ge=1, le=10_000)] = 200,
    search: Annotated[str, Query(max_length=500, description="Only lines that contain this text, in any case")] = "",
    before: Annotated[str | None, Query(description="`earlier` of the previous response")] = None,
    after: Annotated[
        str | None, Query(description="`next` of the previous response: later lines by arrival; empty: all")
    ] = None,
) -> Response:
    """Return the last lines before a cursor, oldest first, each with its stream, time, label and host.

    With `after`, the lines that arrived after a position, in the order of their arrival: as many as are read at once.

    A line that ends with a carriage return is the latest state of a progress bar. A search may find fewer lines than
    requested, even none, while `earlier` is not null.
    """
    if after is not None:
        return await _lines_after(run, reads, after)
    end = None if before is None else console_cursor(before)
    async with reading(reads) as connection:
        await documents.find(connection, run)
        blocks = reads.blocks(connection)
        # Lines that arrive in between are in the next response to a request with `after`, and not in this one.
        last = await console.last_place(blocks, run)
        if end is None and last is not None:
            end = ConsoleCursor(*last, _GREATEST)
        page = await console.lines_before(blocks, run, limit=lines, before=end, wanted=containing(search))
    earlier = None if page.earlier is None else _joined(page.earlier)
    following = () if last is None else Place(last[0], _GREATEST)
    return ValuesResponse({"lines": _lines_json(page.lines), "earlier": earlier, "next": _joined(following)})


async def _lines_after(run: RunPath, reads: CostlyReads, after: str) -> Response:
    place = Place(*_integers(after, 2, "after", "next")) if after else BEGINNING
    async with reading(reads) as connection:
        await documents.find(connection, run)
        page = await console.lines_after(reads.blocks(connection), run, place)
    following = () if page.end == BEGINNING else page.end
    return ValuesResponse({"lines": _lines_json(page.rows), "earlier": None, "next": _joined(following)})


def _lines_json(rows: Sequence[history.HistoryRow]) -> list[dict[str, Any]]:
    return [{"time": documents.seconds(row.time), "writer": row.writer.hex(), **row.values} for row in rows]


@router.get("/system", summary="System metrics, sampled", responses=described(models.SeriesList))
async def system(
    request: Request, run: TheRun, reads: TheReads, services: TheServices, samples: Samples = 500
) -> Response:
    """Return the series of the stream `system`: processor, memory, disk, network, accelerators, the process.

    Each is listed under the writer whose process and machine were measured, with that writer's label and host.
    """
    return await series(request, run, reads, services, query=RowQuery(stream=Stream.SYSTEM), samples=samples)


def _json(text: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, media_type="application/json", headers=headers)


@asynccontextmanager
async def reading(reads: CostlyReads) -> AsyncIterator[Connection]:
    """Provide a connection, and limit the time within which it is used."""
    deadline = asyncio.timeout(_DEADLINE_S)
    try:
        async with reads.connection() as connection, deadline:
            yield connection
    except TimeoutError:
        if not deadline.expired():
            raise
        raise Unavailable("too_slow", "Reading took too long; request fewer rows or keys.") from None


def containing(search: str) -> Callable[[str], bool] | None:
    """Return the condition that a line contains a text, in any case; None if every line does."""
    folded = search.casefold()
    return None if not folded else lambda text: folded in text.casefold()


def console_cursor(text: str) -> ConsoleCursor:
    """Return the position that a text names; raises BadParameter."""
    return ConsoleCursor(*_integers(text, 3, "before", "earlier"))


def _joined(numbers: Sequence[int]) -> str:
    return ".".join(str(number) for number in numbers)


def _mark(run: RunPath, query: RowQuery, *, hidden: bool) -> int:
    """Return a number that differs for the rows of another run or query."""
    return zlib.crc32(repr((run, query, hidden)).encode("utf-8", "surrogatepass"))


def _cursor(text: str, mark: int) -> Cursor:
    *numbers, found = _integers(text, 5, "cursor", "next")
    if found != mark:
        raise BadParameter("cursor", "it is of another query: expected the `next` of a response to the same one")
    return Cursor(*numbers)


def _integers(text: str, count: int, parameter: str, source: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(".")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(_LEAST <= number <= _GREATEST for number in numbers):
        raise BadParameter(parameter, f"expected the `{source}` of a previous response")
    return numbers
