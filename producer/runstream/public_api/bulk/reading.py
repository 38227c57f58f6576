"""Reading rows in bulk, page by page; the next page is requested while one is used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from runstream.public_api.bulk.batches import MEDIA_TYPE, RowBatch, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream.public_api.bulk.batches import RowStream
    from runstream.server.api_connection import ApiConnection

#: Pages grow by this factor, so that the first rows come early, up to this size. Those of wide rows end earlier.
_GROWTH = 4
_LARGEST_PAGE = 131_072


def read_once(connection: ApiConnection, path: str, **asked: Any) -> RowStream:
    """Return the rows of one answer; raises as ApiConnection.get()."""
    return decode(connection.fetch(path, MEDIA_TYPE, **asked))


def read_pages(connection: ApiConnection, path: str, page_size: int, **asked: Any) -> Iterator[RowBatch]:
    """Yield the rows of a scan, of which the first page has ``page_size`` rows; raises as ApiConnection.get()."""
    size = min(page_size, _LARGEST_PAGE)
    page = read_once(connection, path, page_size=size, **asked)
    if page.metadata["next"] is None:
        yield from page.batches
        return
    thread = ThreadPoolExecutor(1, thread_name_prefix="runstream-read")
    try:
        while (position := page.metadata["next"]) is not None:
            size = min(size * _GROWTH, _LARGEST_PAGE)
            following = thread.submit(read_once, connection, path, page_size=size, cursor=position, **asked)
            yield from page.batches
            page = following.result()
        yield from page.batches
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
