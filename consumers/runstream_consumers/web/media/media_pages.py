"""What the media of a run's page load: the list of keys, the steps of a key, rows of tables, and custom charts."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse
from runstream_consumers.api.services import TheReads, TheRun
from runstream_consumers.history import reader as history
from runstream_consumers.history.paging import HistoryRow
from runstream_consumers.history.reader import RowQuery
from runstream_consumers.web.media import table_pages
from runstream_consumers.web.media.documents import media_json, states_of
from runstream_consumers.web.media.values import KINDS_IN_ORDER, at_path, media_in, media_of
from runstream_consumers.web.responses import unless_known
from runstream_schemas import values

router = APIRouter(include_in_schema=False)
router.include_router(table_pages.router)

_MEDIA = "/{entity}/{project}/runs/{run_id}/media"
#: Steps of a key that the slider has, and rows that are read for them at most.
_STEPS = 500
_READ = 20_000
_PAGE = 1000

Key = Annotated[str, Query(max_length=2000, description="Key of a media value")]


@router.get(_MEDIA)
async def panels(request: Request, run: TheRun, reads: TheReads) -> Response:
    """Return the keys of custom charts and of media, each with a version that changes with its latest value."""
    async with reads.connection() as connection:
        found = await documents.find(connection, run)
    summary, charts = found.document.summary, found.charts
    plots = [_panel(key, "plot", [chart, at_path(summary, str(chart["table"]))]) for key, chart in charts.items()]
    drawn = {str(chart["table"]) for chart in charts.values()}  # whose tables follow the other ones
    found_media = sorted(
        media_in(summary), key=lambda item: (KINDS_IN_ORDER.index(item[1].kind), item[0] in drawn, item[0])
    )
    media = [_panel(key, one.kind, at_path(summary, key)) for key, one in found_media]
    return unless_known(request, ValuesResponse({"panels": [*plots, *media]}))


@router.get(f"{_MEDIA}/steps")
async def steps(run: TheRun, reads: TheReads, key: Key) -> Response:
    """Return the steps at which a key was logged as media, with its values; if there are too many, some of them."""
    async with reads.connection() as connection:
        await documents.find(connection, run)
        blocks, query = reads.blocks(connection), RowQuery(keys=[key])
        rows: list[HistoryRow] = []
        after = None
        while len(rows) < _READ:
            page = await history.scan(blocks, run, query, after=after, limit=_PAGE)
            rows += page.rows
            if (after := page.next) is None:
                break
        found = [(row.step, one) for row in rows if (one := media_of(at_path(row.values, key))) is not None]
        shown = thinned(found, _STEPS)
        states = await states_of(connection, run, [one for _, one in shown])
    items = [
        {
            "step": step,
            "media": media_json(one),
            "states": {path: states[path] for path in one.paths() if path in states},
        }
        for step, one in shown
    ]
    return ValuesResponse({"steps": items, "count": len(found)})


def thinned(items: list[Any], most: int) -> list[Any]:
    """Return at most so many items, evenly distributed, among them the first and the last."""
    if len(items) <= most:
        return items
    return [items[round(number * (len(items) - 1) / (most - 1))] for number in range(most)]


def _panel(key: str, kind: str, value: Any) -> dict[str, Any]:
    version = hashlib.sha256(values.dump(value).encode()).hexdigest()[:16]
    return {"key": key, "kind": kind, "version": version}
