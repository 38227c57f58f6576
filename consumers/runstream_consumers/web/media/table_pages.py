"""Rows of the tables of a run, and custom charts with theirs, for the JavaScript of the page."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse
from runstream_consumers.api.documents.inherited import files_of
from runstream_consumers.api.problems import Problem
from runstream_consumers.api.services import TheReads, TheRun, TheStore
from runstream_consumers.files.model import FileRow
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.web.media.chart_specs import spec
from runstream_consumers.web.media.documents import media_json, states_of
from runstream_consumers.web.media.table_rows import TablePage, TableQuery, read_page
from runstream_consumers.web.media.values import at_path, media_of
from runstream_schemas.exceptions import InvalidTable
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath

router = APIRouter(include_in_schema=False)

_MEDIA = "/{entity}/{project}/runs/{run_id}/media"
#: Rows that a custom chart draws at most, as in W&B.
_PLOTTED = 10_000
_INCREMENT = re.compile(r"\.\d+\.table\.json$")
_MOST_INCREMENTS = 200


@router.get(f"{_MEDIA}/table")
async def table(
    run: TheRun,
    reads: TheReads,
    store: TheStore,
    *,
    file: Annotated[str, Query(max_length=4096, description="Path of the table's file in the run")],
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    order: Annotated[int | None, Query(ge=0, description="Number of the column to sort by")] = None,
    descending: Annotated[bool, Query()] = False,
    increments: Annotated[int, Query(ge=1, le=_MOST_INCREMENTS, description="Files that the table consists of")] = 1,
) -> Response:
    """Return some rows of a table; media in its cells are described as in the steps of a key."""
    query = TableQuery(offset=offset, limit=limit, order=order, descending=descending)
    async with reads.connection() as connection:
        rows = [await _stored(connection, run, name) for name in _paths(file, increments)]
    page = await _read(store, rows, query)
    async with reads.connection() as connection:
        states = await states_of(connection, run, [one for row in page.rows for cell in row if (one := media_of(cell))])
    cells = [[_cell(cell, states) for cell in row] for row in page.rows]
    return ValuesResponse({"columns": page.columns, "rows": cells, "counted": page.counted, "whole": page.whole})


@router.get(f"{_MEDIA}/plot")
async def plot(run: TheRun, reads: TheReads, store: TheStore, key: Annotated[str, Query(max_length=2000)]) -> Response:
    """Return the Vega-Lite specification of a custom chart, and the rows of its table."""
    async with reads.connection() as connection:
        found = await documents.find(connection, run)
        chart = found.charts.get(key)
        if chart is None:
            raise Problem(404, "chart_not_found", f"The run has no custom chart {key!r}.")
        media = media_of(at_path(found.document.summary, str(chart["table"])))
        if media is None:
            raise Problem(404, "table_not_found", f"The table {chart['table']!r} of the chart was not logged.")
        row = await _stored(connection, run, media.items[0].path)
    page = await _read(store, [row], TableQuery(limit=_PLOTTED))
    drawn = spec(chart, page.columns)
    if drawn is None:
        message = f"The chart {chart['definition']!r} cannot be drawn here; its table is {chart['table']!r}."
        raise Problem(422, "unknown_chart", message)
    rows = [dict(zip(page.columns, cells, strict=False)) for cells in page.rows]
    return ValuesResponse({"spec": drawn, "rows": rows, "partial": not page.whole})


def _paths(path: str, increments: int) -> list[str]:
    """Return the files of a table, of which the last one is named if it was logged in increments."""
    if increments == 1 or not _INCREMENT.search(path):
        return [path]
    return [_INCREMENT.sub(f".{number}.table.json", path) for number in range(increments)]


async def _stored(connection: Connection, run: RunPath, path: str) -> tuple[RunPath, FileRow]:
    owner, row = (await files_of(connection, run, [path])).get(path, (run, None))
    if row is None or row.sha256 is None or row.stored <= row.deleted:
        reason = "" if row is None else row.problem
        code = "lost" if reason else "not_uploaded"
        raise Problem(404, code, f"{path} is {'lost: ' + reason if reason else 'not uploaded yet'}.")
    return owner, row


async def _read(store: ObjectStore, rows: list[tuple[RunPath, FileRow]], query: TableQuery) -> TablePage:
    async def chunks(owner: RunPath, row: FileRow) -> AsyncGenerator[bytes]:
        reader = await store.open(object_key(owner.entity, row.sha256 or b""))
        try:
            async for chunk in reader.chunks():
                yield chunk
        finally:
            reader.close()

    try:
        return await read_page([chunks(owner, row) for owner, row in rows], query)
    except InvalidTable as error:
        raise Problem(422, "invalid_table", str(error)) from error


def _cell(value: Any, states: dict[str, Any]) -> Any:
    media = media_of(value)
    if media is None:
        return value
    return {"media": media_json(media), "states": {path: states[path] for path in media.paths() if path in states}}
