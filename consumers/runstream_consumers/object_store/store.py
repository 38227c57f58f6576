"""A client of the S3 store. Keys are those of ``runstream_schemas.stored.objects``."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from itertools import islice
from typing import Any, ParamSpec, Self, TypeVar
from urllib.parse import SplitResult, quote, urlencode

import urllib3
from minio import Minio
from minio.datatypes import ListMultipartUploadsResult, Part
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.response import BaseHTTPResponse

from runstream_consumers.object_store.presigning import SignedRequest, Signer
from runstream_consumers.object_store.ranges import RangeClient
from runstream_consumers.settings import ServerSettings

#: Less than that, S3 does not accept as a part of an object.
MIN_PART_SIZE = 5 * 1024 * 1024
_TIMEOUT = urllib3.Timeout(connect=3, read=30)
_THREADS = 16
_CHUNK = 256 * 1024
#: Entries of a page of lists.
_PAGE = 1000
_MISSING = frozenset({"NoSuchKey", "NoSuchUpload"})

P = ParamSpec("P")
T = TypeVar("T")


class StoreUnavailable(Exception):  # noqa: N818 — a state of another server
    """The store does not answer, or refuses a request that it should serve."""


class ObjectMissing(Exception):  # noqa: N818 — a state of another server
    """The store does not have an object, or an upload; the argument is its key."""


class ObjectDamaged(Exception):  # noqa: N818 — a state of another server
    """The store has fewer or more bytes of an object than were stored; the argument is its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as the store lists it. ``etag`` is the MD5 of what was stored in one request, else any text."""

    key: str
    size: int
    etag: str
    modified: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of an unfinished upload."""

    number: int
    etag: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An unfinished upload of several parts."""

    key: str
    id: str
    started: datetime | None


class _Pool(urllib3.PoolManager):
    """Makes the client of minio understand errors of rclone, whose content type it rejects."""

    def urlopen(self, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
        response: BaseHTTPResponse = super().urlopen(*args, **kwargs)
        if response.headers.get("content-type", "").startswith("text/xml"):
            response.headers["content-type"] = "application/xml"
        return response


class _Client(Minio):
    """Adds what the client of minio does not publish: uploads whose parts others send."""

    def start_upload(self, bucket: str, key: str) -> str:
        return self._create_multipart_upload(bucket, key, {"Content-Type": "application/octet-stream"})

    def parts_of(self, bucket: str, key: str, upload_id: str) -> list[StoredPart]:
        found: list[StoredPart] = []
        marker: str | None = None
        while True:
            page = self._list_parts(bucket, key, upload_id, max_parts=_PAGE, part_number_marker=marker)
            found += [
                StoredPart(number=part.part_number, etag=part.etag.strip('"'), size=part.size or 0)
                for part in page.parts
            ]
            if not page.is_truncated or not page.parts:
                return found
            marker = str(found[-1].number)

    def complete(self, bucket: str, key: str, upload_id: str, parts: Iterable[StoredPart]) -> None:
        self._complete_multipart_upload(bucket, key, upload_id, [Part(one.number, one.etag) for one in parts])

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        self._abort_multipart_upload(bucket, key, upload_id)

    def uploads(self, bucket: str) -> list[Upload]:
        found: list[Upload] = []
        marker: str | None = None
        while True:
            # With the parameters of minio's own method, even if they are empty, rclone lists nothing.
            query: dict[str, str | list[str] | tuple[str]] = {"uploads": "", "max-uploads": str(_PAGE)}
            query |= {"key-marker": marker} if marker else {}
            page = ListMultipartUploadsResult(self._execute("GET", bucket, query_params=query))
            found += [
                Upload(key=str(one.object_name), id=str(one.upload_id), started=one.initiated_time)
                for one in page.uploads
            ]
            if not page.is_truncated or not page.next_key_marker:
                return found
            marker = page.next_key_marker

    def url_of(self, bucket: str, region: str) -> SplitResult:
        url: SplitResult = self._base_url.build(method="GET", region=region, bucket_name=bucket, object_name="x")
        return url._replace(path=url.path.removesuffix("x"))


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """The bytes of an object, or of a range of it, as they arrive."""

    _response: BaseHTTPResponse
    _run: Callable[..., Awaitable[bytes]]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes; raises StoreUnavailable if the store stops sending."""
        while chunk := await self._run(self._response.read, _CHUNK):
            yield chunk

    def close(self) -> None:
        """Close the connection, since what was not read may be long."""
        self._response.close()
        self._response.release_conn()


class ObjectStore:
    """Presigns requests for clients, and reads, writes, lists and deletes objects. Requests run in own threads.

    Requests raise StoreUnavailable if the store does not answer as expected, ObjectMissing if it lacks an object.
    Presigning needs no request.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._pool = _Pool(timeout=_TIMEOUT, retries=False, maxsize=_THREADS)
        self._client = _client(settings, settings.s3_endpoint, self._pool)
        public = _client(settings, settings.s3_public_endpoint or settings.s3_endpoint, self._pool)
        self._signer = Signer(settings.s3_access_key, settings.s3_secret_key, settings.s3_region)
        self._bucket = settings.s3_bucket
        #: How long the requests are valid that the API presigns.
        self.expires_s = settings.s3_url_expires_s
        #: The URLs of the bucket, for own requests and for those of clients.
        self._url, self._public_url = (one.url_of(self._bucket, settings.s3_region) for one in (self._client, public))
        self._ranges = RangeClient(self._url.geturl())
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: ServerSettings) -> AsyncIterator[Self | None]:
        """Provide the store of the settings, None if they name none; connects with the first request."""
        if not settings.s3_endpoint:
            yield None
            return
        store = cls(settings)
        try:
            yield store
        finally:
            store.close()

    def close(self) -> None:
        """End the threads once they are idle, and close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.clear()
        self._ranges.close()

    def presign_get(self, key: str, *, expires_s: int) -> SignedRequest:
        """Return the request that reads an object."""
        return self._sign(self._public_url, "GET", key, expires_s)

    def presign_put(self, key: str, *, expires_s: int, headers: Mapping[str, str]) -> SignedRequest:
        """Return the request that stores an object, with headers that the client must send."""
        return self._sign(self._public_url, "PUT", key, expires_s, headers=headers)

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> SignedRequest:
        """Return the request that stores a part of an upload."""
        return self._sign(
            self._public_url, "PUT", key, expires_s, query={"partNumber": str(number), "uploadId": upload_id}
        )

    async def stat(self, key: str) -> StoredObject | None:
        """Return the size and the ETag of an object; None if there is none."""
        # Not by minio's method, which needs more processor time than the request itself.
        request = self._sign(self._url, "HEAD", key, 60)
        answer = await self._run(key, self._pool.request, "HEAD", request.url)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise StoreUnavailable(f"The object store refuses a request: HTTP {answer.status}")
        return StoredObject(key=key, size=int(answer.headers["Content-Length"]), etag=_etag(answer.headers.get("ETag")))

    async def read(self, key: str, start: int = 0, length: int = 0) -> bytes:
        """Return the bytes of an object from ``start`` on; all of them if ``length`` is 0."""
        reader = await self.open(key, start, length)
        try:
            return b"".join([chunk async for chunk in reader.chunks()])
        finally:
            reader.close()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of an object from ``start`` on; for threads other than that of the event loop."""
        with _translated(key):
            request = self._sign(self._url, "GET", key, 60)
            headers = {"Range": f"bytes={start}-{start + length - 1}"}
            answer = self._ranges.get(request.url, headers)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise ObjectMissing(key)
        if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise StoreUnavailable(f"The object store refuses a request: HTTP {answer.status}")
        data = answer.data
        # A store need not respect the range; rclone does, with the status of a whole object.
        if answer.status == HTTPStatus.OK and "Content-Range" not in answer.headers:
            data = data[start : start + length]
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or len(data) != length:
            raise ObjectDamaged(key)
        return data

    async def open(self, key: str, start: int = 0, length: int = 0) -> ObjectReader:
        """Return the bytes of an object in chunks, to be closed; raises ObjectDamaged if it is too short."""
        response = await self._run(key, self._client.get_object, self._bucket, key, offset=start, length=length)
        reader = ObjectReader(response, partial(self._run, key))
        if length and int(response.headers.get("Content-Length", -1)) != length:
            reader.close()
            raise ObjectDamaged(key)
        return reader

    async def write(self, key: str, data: bytes | memoryview, media_type: str = "application/octet-stream") -> None:
        """Store an object of up to 5 GB in one request."""
        await self._run(
            key,
            self._client.put_object,
            self._bucket,
            key,
            io.BytesIO(data),
            len(data),
            content_type=media_type,
            part_size=max(len(data), MIN_PART_SIZE),
        )

    async def start_upload(self, key: str) -> str:
        """Begin an upload of several parts; return its id."""
        return await self._run(key, self._client.start_upload, self._bucket, key)

    async def parts(self, key: str, upload_id: str) -> Sequence[StoredPart]:
        """Return the parts of an upload that the store has, by number."""
        return await self._run(key, self._client.parts_of, self._bucket, key, upload_id)

    async def complete(self, key: str, upload_id: str, parts: Sequence[StoredPart]) -> None:
        """Make an object of the parts of an upload."""
        await self._run(key, self._client.complete, self._bucket, key, upload_id, parts)

    async def abort(self, key: str, upload_id: str) -> None:
        """Delete an upload and its parts; does nothing if there is none."""
        try:
            await self._run(key, self._client.abort, self._bucket, key, upload_id)
        except ObjectMissing:
            return

    async def uploads(self) -> Sequence[Upload]:
        """Return the unfinished uploads of the bucket."""
        try:
            return await self._run("", self._client.uploads, self._bucket)
        except ObjectMissing:  # The answer of rclone for a bucket that has had no upload.
            return []

    async def objects(self, prefix: str = "") -> AsyncIterator[Sequence[StoredObject]]:
        """Yield the objects whose keys have a prefix, in pages."""
        listing = self._client.list_objects(self._bucket, prefix=prefix, recursive=True)
        while page := await self._run(prefix, lambda: list(islice(listing, _PAGE))):
            yield [
                StoredObject(
                    key=str(one.object_name), size=one.size or 0, etag=_etag(one.etag), modified=one.last_modified
                )
                for one in page
            ]

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete up to 1 000 objects; those that do not exist are ignored."""

        def delete() -> list[str]:
            errors = self._client.remove_objects(self._bucket, [DeleteObject(key) for key in keys])
            return [f"{error.name}: {error.message}" for error in errors if error.code not in _MISSING]

        if errors := await self._run("", delete):
            raise StoreUnavailable(f"The store does not delete objects: {errors[0]}")

    def _sign(
        self,
        bucket: SplitResult,
        method: str,
        key: str,
        expires_s: int,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> SignedRequest:
        url = bucket._replace(path=bucket.path + quote(key), query=urlencode(query or {}, quote_via=quote))
        return self._signer.sign(method, url, now=time.time(), expires_s=expires_s, headers=headers)

    async def _run(self, key: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        with _translated(key):
            return await loop.run_in_executor(self._threads, partial(call, *args, **kwargs))


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Raise the exceptions of this module in place of those of the libraries."""
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise ObjectMissing(key) from error
        if error.code == "InvalidRange":
            raise ObjectDamaged(key) from error
        raise StoreUnavailable(f"The object store refuses a request: {error.code} {error.message}") from error
    except (MinioException, urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
        raise StoreUnavailable(f"The object store does not answer ({type(error).__name__}).") from error


def _client(settings: ServerSettings, endpoint: str, pool: urllib3.PoolManager) -> _Client:
    scheme, _, address = endpoint.rpartition("://")
    return _Client(
        address,
        settings.s3_access_key,
        settings.s3_secret_key,
        secure=scheme == "https",
        region=settings.s3_region,
        http_client=pool,
    )


def _etag(text: str | None) -> str:
    return (text or "").strip('"')
