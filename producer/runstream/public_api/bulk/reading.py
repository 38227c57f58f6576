"""Reading rows in bulk, page by page; the next page is requested as soon as an answer begins to arrive."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from runstream.public_api.bulk.batches import MEDIA_TYPE, RowBatch, decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstream.public_api.bulk.batches import RowStream
    from runstream.server.api_connection import ApiConnection

#: Pages grow by this factor, so that the first rows come early. Those of wide rows end earlier.
_GROWTH = 4
#: The largest pages of rows that are used one by one, and of those that become a table.
ROWS_OF_PAGE, ROWS_OF_TABLE_PAGE = 524_288, 1_048_576


def read_once(connection: ApiConnection, path: str, **asked: Any) -> RowStream:
    """Return the rows of one answer; raises as ApiConnection.get()."""
    return decode(connection.fetch(path, MEDIA_TYPE, **asked))


def read_pages(
    connection: ApiConnection,
    path: str,
    *,
    page_size: int,
    largest: int = ROWS_OF_PAGE,
    by_pyarrow: bool = False,
    **asked: Any,
) -> Iterator[RowBatch]:
    """Yield the rows of a scan, of which the first page has ``page_size`` rows; raises as ApiConnection.get().

    Two pages are read at once, in threads.
    """
    size = min(page_size, largest)
    threads = ThreadPoolExecutor(2, thread_name_prefix="runstream-read")

    def start(position: str | None) -> _Answer:
        return _Answer(threads, connection, path, {**asked, "page_size": size, "cursor": position})

    answer: _Answer | None = start(None)
    try:
        while answer is not None:
            size = min(size * _GROWTH, largest)
            position = answer.next.result()
            following = None if position is None else start(position)
            yield from decode(answer.body.result(), by_pyarrow=by_pyarrow).batches
            answer = following
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


class _Answer:
    """A page that is read in a thread."""

    def __init__(
        self, threads: ThreadPoolExecutor, connection: ApiConnection, path: str, asked: Mapping[str, Any]
    ) -> None:
        #: The cursor of the next page, known before the rows; None if there is none.
        self.next: Future[str | None] = Future()
        self.body = threads.submit(self._read, connection, path, asked)

    def _read(self, connection: ApiConnection, path: str, asked: Mapping[str, Any]) -> bytes:
        try:
            return connection.fetch(path, MEDIA_TYPE, on_links=self._follow, **asked)
        except BaseException as error:
            if not self.next.done():
                self.next.set_exception(error)
            raise

    def _follow(self, links: Mapping[str, Mapping[str, str]]) -> None:
        url = links.get("next", {}).get("url")
        self.next.set_result(None if url is None else parse_qs(urlsplit(url).query)["cursor"][0])
