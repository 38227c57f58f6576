"""Stores contents: reads them, asks which are stored, uploads the others in parallel, and has them confirmed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from runstream.shipper.uploads.content import SINGLE_BYTES, ChangedError, Content, LostError
from runstream.shipper.uploads.multipart import MultipartUpload, UploadJournal
from runstream.shipper.uploads.object_api import BATCH, NoStoreError, ObjectApi, UploadOrder
from runstream.shipper.uploads.store_client import Part, RejectedError, StoreClient, StoreError

#: Requests to the object store at a time, over all batches.
WORKERS = 8
#: Files that are read at a time, and batches of one caller: one is read and confirmed while the other one is sent.
_READERS = _BATCHES = 2
#: How often an object may be missing from the store, or be another one, after it was uploaded.
_REFUSALS = 10

Item = TypeVar("Item")


class StoppedError(StoreError):
    """The uploader was closed."""


class Uploader:
    """Uploads in threads. :meth:`store` may be called from several threads; they share the workers."""

    def __init__(self, journal: Path) -> None:
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="upload")
        #: Apart from the workers, so that a batch is read while another one is sent.
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
        self._batches = ThreadPoolExecutor(_BATCHES, thread_name_prefix="batch")
        self._store = StoreClient()
        self._journal = UploadJournal(journal)
        self._lock = threading.Lock()
        self._stopping = False
        #: Contents that are stored or lost, and bytes that were sent to object stores.
        self.settled = self.sent = 0

    def close(self) -> None:
        """Stop soon: the requests under way fail."""
        self._stopping = True
        self._store.close()
        for pool in (self._batches, self._readers, self._workers):
            pool.shutdown(wait=False)

    def store(self, contents: Iterable[Content], api: ObjectApi) -> None:
        """Store contents, or set why they are lost; raise StoreError if some must be tried again later.

        What was reached is noted in the contents, so that only the rest is done again.
        """
        left = [one for one in contents if not one.settled]
        batches, problems = deque(_batches(left)), list[StoreError]()

        def work() -> None:
            while batches and len(problems) <= 1:
                with suppress(IndexError):  # the other thread was faster
                    batch = batches.popleft()
                    try:
                        self._store_batch(batch, api)
                    except StoreError as error:
                        problems.append(error)

        try:
            helper = self._batches.submit(work) if len(batches) > 1 else None
        except RuntimeError:
            raise StoppedError from None
        work()
        if helper is not None:
            helper.result()
        with self._lock:
            self.settled += sum(one.settled for one in left)
        if problems:
            raise problems[0]

    def _store_batch(self, contents: Sequence[Content], api: ObjectApi) -> None:
        self.each(Content.read, [one for one in contents if not one.sha256], self._readers)
        same: dict[bytes, list[Content]] = {}
        for one in contents:
            if not one.settled:
                same.setdefault(one.sha256, []).append(one)
        first = [ones[0] for ones in same.values()]
        sent: list[Content] = []
        try:
            self._upload(first, sent, api)
        finally:
            self._confirm([one for one in sent if one.stored], api)
        for ones in same.values():
            for other in ones[1:]:
                other.stored = ones[0].stored
        if changed := [one for one in contents if not one.settled]:
            raise StoreError(f"{changed[0].label} was changed while it was uploaded")

    def _upload(self, contents: Sequence[Content], sent: list[Content], api: ObjectApi) -> None:
        """Upload the contents that are not stored; add them to ``sent``, for the server to confirm."""
        sent += [one for one in contents if one.size > SINGLE_BYTES and self._put_parts(one, None, api)]
        if not (asked := [one for one in contents if not one.settled]):
            return
        orders = self._order(asked, api)
        for one in asked:
            if one.sha256 in orders:
                one.stored = orders[one.sha256].stored
                one.data = b"" if one.stored else one.data
        self.each(Content.verify, [one for one in asked if not one.settled])
        missing = [(one, orders[one.sha256]) for one in asked if not one.settled]
        sent += [one for one, _ in missing]
        self.each(lambda item: self._put(*item), [(one, order) for one, order in missing if order.url])
        for one, order in missing:
            if order.upload_id:
                self._put_parts(one, order, api)

    def _order(self, contents: Sequence[Content], api: ObjectApi) -> dict[bytes, UploadOrder]:
        """Return how contents are to be uploaded; those that the server never accepts are lost, and left out."""
        try:
            return api.order(contents)
        except NoStoreError as error:
            for one in contents:
                one.lost = f"{one.label}: {error}"
            return {}
        except LostError as error:
            if len(contents) == 1:
                contents[0].lost = f"{contents[0].label}: {error}"
                return {}
            middle = len(contents) // 2
            return self._order(contents[:middle], api) | self._order(contents[middle:], api)

    def _put(self, content: Content, order: UploadOrder) -> None:
        """Upload a content; one whose file has changed is left to be read again."""
        content.sent = 0
        sent = self._noting_sent(content)
        if content.data:
            etag = self._store.put(order.url, order.headers, content.data, content.md5, sent)
            self._note_stored(content, etag)
            return
        with _noting(content), content.open() as file:
            content.check(file)
            etag = self._store.put(order.url, order.headers, Part(file, 0, content.size), content.md5, sent)
            content.check(file)
            self._note_stored(content, etag)

    @staticmethod
    def _note_stored(content: Content, etag: str) -> None:
        content.stored, content.acknowledged, content.data = True, etag.lower() == content.md5.hex(), b""

    def _put_parts(self, content: Content, order: UploadOrder | None, api: ObjectApi) -> bool:
        """Upload a content in parts, or without an order continue its upload; return whether that was possible."""
        upload = MultipartUpload(api, self._store, self._journal, self.each, self._noting_sent(content))
        with _noting(content):
            if order is None:
                content.stored = upload.resume(content)
            else:
                upload.run(content, order)
                content.stored = True
        return content.stored

    def _confirm(self, contents: Sequence[Content], api: ObjectApi) -> None:
        """Ask the server whether it has what was uploaded; raise StoreError if it has not."""
        problems: dict[bytes, str] = {}
        try:
            problems = api.confirm(contents) if contents else {}
        except (StoreError, LostError) as error:
            for one in contents:
                one.stored = False
            raise StoreError(str(error)) from error
        refused = [one for one in contents if one.sha256 in problems]
        for one in refused:
            one.stored = False
            one.refusals += 1
            if one.refusals > _REFUSALS:
                one.lost = f"{one.label}: the object store does not keep it: {problems[one.sha256]}"
        if refused:
            raise StoreError(f"{refused[0].label} is not in the object store: {problems[refused[0].sha256]}")

    def _noting_sent(self, content: Content) -> Callable[[int], None]:
        def note(count: int) -> None:
            content.sent += count
            with self._lock:
                self.sent += count

        return note

    def each(
        self, work: Callable[[Item], None], items: Iterable[Item], threads: ThreadPoolExecutor | None = None
    ) -> None:
        """Do some work for each item in the worker threads, then raise the first error if there was any.

        If nothing answers, the rest is left out.
        """
        errors: list[Exception] = []
        left = deque(items)

        def attempt() -> None:
            while left and not self._stopping and len(errors) < WORKERS:
                with suppress(IndexError):  # another thread was faster
                    item = left.popleft()
                    try:
                        work(item)
                    except RejectedError as error:
                        errors.insert(0, error)
                    except Exception as error:  # noqa: BLE001 - raised below, in the thread of the caller
                        errors.append(error)

        count = min(len(left), WORKERS if threads is None else _READERS)
        with suppress(RuntimeError):  # the threads do not accept more, since the uploader was closed
            wait([(threads or self._workers).submit(attempt) for _ in range(count)])
        if self._stopping:
            raise StoppedError
        if errors:
            raise next((error for error in errors if not isinstance(error, StoreError)), errors[0])


@contextmanager
def _noting(content: Content) -> Iterator[None]:
    """Note in a content that its file has changed, and must be read again, or why it is lost."""
    try:
        yield
    except ChangedError:
        content.forget()
    except LostError as error:
        content.lost = str(error)


def _batches(contents: Sequence[Content]) -> Iterator[list[Content]]:
    """Yield groups that are uploaded together: as many as a request may name, and not much more than a large file."""
    batch: list[Content] = []
    size = 0
    for one in contents:
        if batch and (len(batch) >= BATCH or size + one.size > 4 * SINGLE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    if batch:
        yield batch
