"""The console of a run: its last lines, a page of older ones, a search, and a download."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.responses import Response

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.routers.history import console_cursor, containing
from runstream_consumers.api.services import CostlyReads, TheReads, TheRun
from runstream_consumers.history import reader as history
from runstream_consumers.history.arrivals import console
from runstream_consumers.history.arrivals.console import ConsolePage
from runstream_consumers.history.paging import HistoryRow
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.web.rendering import render
from runstream_consumers.web.terminal import Line, Terminal, plain
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

_CONSOLE = "/{entity}/{project}/runs/{run_id}/console"
_LATEST_LINES = 400
_PAGE_LINES = 1000


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of the console as a terminal shows it; ``time`` is in seconds."""

    time: float
    stream: str
    label: str
    line: Line


@router.get(_CONSOLE)
async def console_page(
    request: Request,
    run: TheRun,
    reads: TheReads,
    *,
    search: Annotated[str, Query(max_length=500)] = "",
    before: Annotated[str | None, Query()] = None,
    fragment: Annotated[bool, Query(description="Only the last lines, for the page of the run")] = False,
    embed: Annotated[bool, Query()] = False,
) -> Response:
    """Show a page of lines, older ones before a cursor, and only those that contain a text, in any case."""
    after = None if before is None else console_cursor(before)
    wanted = containing(search)
    async with reads.connection() as connection:
        found, blocks = await documents.find(connection, run), PostgresBlocks(connection)
        etag = f'W/"{await history.fingerprint(blocks, run, Stream.CONSOLE)}"'
        if fragment and request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        if fragment:
            shown = await latest_lines(connection, run)
            text = render("console.html", console=shown, page=documents.run_path(run), embed=embed)
            return HTMLResponse(text, headers={"ETag": etag})
        page = await console.lines_before(
            blocks, run, limit=_PAGE_LINES, before=after, wanted=wanted and (lambda text: wanted(plain(text)))
        )
    return HTMLResponse(_page_of(found, page, search=search, before=before))


@router.get(f"{_CONSOLE}.txt")
async def console_text(run: TheRun, reads: TheReads) -> Response:
    """Return all lines as plain text, as a file."""
    async with reads.connection() as connection:
        await documents.find(connection, run)
    name = quote(f"{run.run_id}.txt", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(_texts(reads, run), media_type="text/plain; charset=utf-8", headers=headers)


async def latest_lines(connection: Connection, run: RunPath) -> list[ShownLine]:
    """Return the last lines of a run."""
    page = await console.lines_before(PostgresBlocks(connection), run, limit=_LATEST_LINES)
    return shown_lines(page.lines)


def shown_lines(rows: Iterable[HistoryRow]) -> list[ShownLine]:
    """Return what a terminal shows of some rows; labels are left out if there is only one."""
    terminal = Terminal()
    shown: dict[int, ShownLine] = {}
    for row in rows:
        line, replaced = terminal.write(console.source_of(row), console.text_of(row))
        if replaced is not None:
            shown.pop(id(replaced), None)
        stream = "stderr" if row.values.get("stream") == "stderr" else "stdout"
        label = str(row.values.get("label") or "")
        shown.setdefault(id(line), ShownLine(documents.seconds(row.time), stream, label, line))
    several = len({one.label for one in shown.values()}) > 1
    return [one if several else ShownLine(one.time, one.stream, "", one.line) for one in shown.values()]


def _page_of(found: documents.FoundRun, page: ConsolePage, *, search: str, before: str | None) -> str:
    here = f"{documents.run_path(found.run)}/console"
    parameters = {"search": search} if search else {}
    earlier = None
    if page.earlier is not None:
        parameters["before"] = ".".join(str(number) for number in page.earlier)
        earlier = f"{here}?{urlencode(parameters, errors='replace')}"
    return render(
        "console_page.html",
        run=found.run,
        name=found.name,
        console=shown_lines(page.lines),
        search=search,
        is_latest=before is None,
        earlier=earlier,
        page=documents.run_path(found.run),
        project_path=documents.project_path(found.run.entity, found.run.project),
    )


async def _texts(reads: CostlyReads, run: RunPath) -> AsyncIterator[bytes]:
    @asynccontextmanager
    async def source() -> AsyncIterator[PostgresBlocks]:
        async with reads.connection() as connection:
            yield PostgresBlocks(connection)

    async for rows in console.parts(source, run):
        lines = (f"[{one.label}] {one.line.text}" if one.label else one.line.text for one in shown_lines(rows))
        yield "".join(f"{line}\n" for line in lines).encode(errors="replace")
