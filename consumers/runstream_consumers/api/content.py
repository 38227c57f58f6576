"""HTTP responses with the content of objects, which are untrusted: they must not act in the origin of the pages."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from runstream_consumers.api.control_tables import ControlTables
from runstream_consumers.api.problems import Problem
from runstream_consumers.api.security.headers import isolate
from runstream_consumers.object_store.sniffing import SNIFFED_BYTES, media_type_of
from runstream_consumers.object_store.store import ObjectDamaged, ObjectMissing, ObjectReader, ObjectStore
from runstream_consumers.stored_objects import object_table

log = logging.getLogger(__name__)

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
#: Objects whose media types are remembered.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Content that is read: an object, and the name that a reader knows it by."""

    key: str
    size: int
    sha256: bytes
    #: The path of the file in its run or artifact.
    name: str


class _ContentResponse(StreamingResponse):
    """Sends what a reader reads, and closes it, also if the client leaves first."""

    def __init__(self, reader: ObjectReader, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(reader.chunks(), status_code=status, headers=headers)
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reader.close()


@dataclass(slots=True)
class ContentServer:
    """Responds with contents of the object store."""

    store: ObjectStore
    control: ControlTables
    #: Media types of objects; their bytes never change.
    _media_types: OrderedDict[str, str] = field(default_factory=OrderedDict)

    async def respond(
        self, request: Request, content: Content, *, download: bool = False, scripts: bool = False
    ) -> Response:
        """Return the response to a GET or HEAD: all bytes, a range of them, or that nothing has changed.

        HTML runs scripts only if the request permits it, and then in an origin of its own. Raises a problem if the
        store does not have the bytes.
        """
        isolate(request, scripts=scripts)
        etag = f'"{content.sha256.hex()}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}
        if _matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        wanted = _range(request.headers, etag, content.size)
        if wanted is not None and not wanted:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{content.size}"})
        sent = range(content.size) if wanted is None else wanted
        headers |= {
            "Content-Length": str(len(sent)),
            "Content-Type": await self._media_type(content),
            "Content-Disposition": _disposition(content.name, download=download),
        }
        if wanted is not None:
            headers["Content-Range"] = f"bytes {sent.start}-{sent.stop - 1}/{content.size}"
        status = 200 if wanted is None else 206
        if request.method == "HEAD" or not sent:
            return Response(status_code=status, headers=headers)
        # Opened first: a status can only be chosen before the response begins.
        return _ContentResponse(await self._open(content, sent), status, headers)

    async def _media_type(self, content: Content) -> str:
        if (known := self._media_types.get(content.key)) is not None:
            self._media_types.move_to_end(content.key)
            return known
        beginning = b""
        if content.size:
            reader = await self._open(content, range(min(content.size, SNIFFED_BYTES)))
            try:
                beginning = b"".join([chunk async for chunk in reader.chunks()])
            finally:
                reader.close()
        found = self._media_types[content.key] = media_type_of(beginning)
        while len(self._media_types) > _REMEMBERED:
            self._media_types.popitem(last=False)
        return found

    async def _open(self, content: Content, sent: range) -> ObjectReader:
        """Return a reader of these bytes; a problem if the store does not have them."""
        try:
            return await self.store.open(content.key, sent.start, len(sent))
        except (ObjectMissing, ObjectDamaged) as error:
            what = "missing" if isinstance(error, ObjectMissing) else "corrupt"
            message = f"The content of {content.name!r} is {what} in the object store; store the file again."
            log.error("%s (%s)", message, content.key)  # noqa: TRY400 — of another server
            async with self.control.connection() as connection:
                await object_table.forget(connection, content.key)
            raise Problem(410, f"object_{what}", message) from error


def _matches(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return bool({etag, "*"} & tags)


def _range(headers: Headers, etag: str, size: int) -> range | None:
    """Return the requested range, empty if it cannot be satisfied; None if all bytes are to be sent."""
    found = _RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    start, stop = int(first), int(last) + 1 if last else size
    if last and stop <= start:
        return None
    return range(start, min(stop, size)) if start < size else range(0)


def _disposition(name: str, *, download: bool) -> str:
    """Return the header that names the file (RFC 6266), with an ASCII form for old clients."""
    last = name.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", last)
    extended = "" if plain == last else f"; filename*=UTF-8''{quote(last, safe='')}"
    return f'{"attachment" if download else "inline"}; filename="{plain}"{extended}'
