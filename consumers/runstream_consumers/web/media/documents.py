"""Media as the page's JavaScript reads them, and the states of their files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents.inherited import files_of
from runstream_consumers.files.model import FileState
from runstream_consumers.web.media.values import Item, Media, Overlay
from runstream_schemas.topics import RunPath


async def states_of(connection: Connection, run: RunPath, media: Iterable[Media]) -> dict[str, Any]:
    """Return the state of each file of media that is not stored; a file of which nothing is known is on its way."""
    paths = list(dict.fromkeys(path for one in media for path in one.paths()))
    if not paths:
        return {}
    rows = (await files_of(connection, run, paths)).values()
    known = {row.path: {"state": row.state.value, "reason": row.problem} for _, row in rows}
    states = {path: known.get(path, {"state": FileState.UPLOADING.value, "reason": ""}) for path in paths}
    return {path: state for path, state in states.items() if state["state"] != FileState.STORED.value}


def media_json(media: Media) -> dict[str, Any]:
    """Return media as the page's JavaScript reads them."""
    return {"kind": media.kind, "count": media.count, "items": [_item_json(item) for item in media.items]}


def _item_json(item: Item) -> dict[str, Any]:
    known = {"caption": item.caption, "width": item.width, "height": item.height, "rows": item.rows}
    boxes, masks = ([_overlay_json(one) for one in some] for some in (item.boxes, item.masks))
    return {"path": item.path, **known, "increment": item.increment, "boxes": boxes, "masks": masks}


def _overlay_json(overlay: Overlay) -> dict[str, Any]:
    return {"name": overlay.name, "path": overlay.path, "classes": dict(overlay.classes)}
