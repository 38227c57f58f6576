"""Uploads of large objects in parts, resumed where another process stopped."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runstream.run_folder.json_files import read_json, write_json
from runstream.shipper.uploads.content import Content
from runstream.shipper.uploads.object_api import ObjectApi, UploadOrder
from runstream.shipper.uploads.part_digests import PART_BYTES
from runstream.shipper.uploads.store_client import Part, StoreClient, StoreError

log = logging.getLogger(__name__)

#: URLs that are requested at once, when the first of them is needed: a slow link must use them before they expire.
_URLS = 32


class UploadJournal:
    """The uploads in parts that were begun, in ``uploads.json``: what a restarted shipper continues.

    A lost entry costs the parts that were sent, so errors of writing are only logged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._uploads: dict[str, dict[str, Any]] = {}
        found = (read_json(path) or {}).get("uploads")
        if isinstance(found, dict):
            self._uploads = {key: item for key, item in found.items() if isinstance(item, dict)}

    def find(self, api: ObjectApi, content: Content) -> UploadOrder | None:
        """Return the upload of a content that was begun, if there is one."""
        found = self._uploads.get(_key(api, content), {})
        try:
            return UploadOrder(upload_id=str(found["upload_id"]), part_size=int(found["part_size"]))
        except (LookupError, TypeError, ValueError):
            return None

    def add(self, api: ObjectApi, content: Content, order: UploadOrder) -> None:
        """Note an upload that begins."""
        with self._lock:
            self._uploads[_key(api, content)] = {"upload_id": order.upload_id, "part_size": order.part_size}
            self._save()

    def remove(self, api: ObjectApi, content: Content) -> None:
        """Forget an upload that has ended or is unknown to the store."""
        with self._lock:
            if self._uploads.pop(_key(api, content), None) is not None:
                self._save()

    def _save(self) -> None:
        try:
            if self._uploads:
                write_json(self._path, {"version": 1, "uploads": self._uploads})
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("cannot write %s: %s", self._path.name, error)


def _key(api: ObjectApi, content: Content) -> str:
    return f"{api.server.url} {api.entity} {content.sha256.hex()} {content.size}"


@dataclass(slots=True)
class MultipartUpload:
    """Uploads one content in parts. ``each`` calls a function for each of some items in worker threads, in any order.

    The ETags of finished parts are those of the store, which lists them to the next process.
    """

    api: ObjectApi
    store: StoreClient
    journal: UploadJournal
    each: Callable[[Callable[[int], None], Iterable[int]], None]
    #: Called with the bytes of each chunk that was sent.
    sent: Callable[[int], None]
    _urls: dict[int, str] = field(default_factory=dict)
    _urls_lock: threading.Lock = field(default_factory=threading.Lock)
    _etags: dict[int, str] = field(default_factory=dict)

    def resume(self, content: Content) -> bool:
        """Continue an upload that was begun earlier, if the store knows it; return whether the content is stored now.

        Raises StoreError if trying again later may help, ChangedError if the file has changed.
        """
        order = self.journal.find(self.api, content)
        if order is None:
            return False
        found = self.api.parts(content.sha256, order.upload_id)
        if found is None:
            self.journal.remove(self.api, content)
            return False
        sizes = _sizes(content, order)
        self._etags = {number: etag for number, (etag, size) in found.items() if sizes.get(number) == size}
        log.info("%s: %d of %d parts are uploaded already", content.label, len(self._etags), len(sizes))
        content.sent = sum(sizes[number] for number in self._etags)
        self.run(content, order)
        return True

    def run(self, content: Content, order: UploadOrder) -> None:
        """Upload the parts that the store does not have, and complete the object; raises as :meth:`resume`."""
        if not order.upload_id or order.part_size <= 0:
            raise StoreError(f"unexpected answer of {self.api.server.url} to the request for an upload in parts")
        self.journal.add(self.api, content, order)
        with content.open() as file:
            content.check(file)
            numbers = [number for number in _sizes(content, order) if number not in self._etags]
            self.each(lambda number: self._put(content, order, number, numbers), numbers)
            content.check(file)
        self.api.complete(content, order.upload_id, self._etags)
        self.journal.remove(self.api, content)

    def _put(self, content: Content, order: UploadOrder, number: int, numbers: Sequence[int]) -> None:
        url = self._url(content, order, number, numbers)
        start = (number - 1) * order.part_size
        size = min(order.part_size, content.size - start)
        md5 = content.part_md5s.get(number, b"") if order.part_size == PART_BYTES else b""
        with content.open() as file:
            self._etags[number] = self.store.put(url, {}, Part(file, start, size), md5, self.sent)

    def _url(self, content: Content, order: UploadOrder, number: int, numbers: Sequence[int]) -> str:
        """Return the URL of a part; request it, with those of the next parts, unless it was requested before."""
        with self._urls_lock:
            if number not in self._urls:
                first = bisect_left(numbers, number)
                self._urls |= self.api.part_urls(content.sha256, order.upload_id, numbers[first : first + _URLS])
            return self._urls.pop(number)


def _sizes(content: Content, order: UploadOrder) -> dict[int, int]:
    """Return the sizes of the parts by number, which begins at 1."""
    size = order.part_size
    starts = range(0, content.size, size)
    return {number: min(size, content.size - start) for number, start in enumerate(starts, start=1)}
