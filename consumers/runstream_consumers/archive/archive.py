"""The archive as a service of a process that reads it: open parts, and what was read of them last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from runstream_consumers.archive.layout import PartRecord, file_key, index_key
from runstream_consumers.archive.overview import RecentMessages
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.archive.storage.object_file import ObjectFile
from runstream_consumers.object_store.store import ObjectDamaged, StoreUnavailable

if TYPE_CHECKING:
    from runstream_consumers.archive.parquet.reader import ParquetReader
    from runstream_consumers.archive.part import OpenPart

#: Memory of the cache, bytes: for indexes with pyramids, what was read of files, decoded values, recent blocks each.
_CACHE = 48 * 1024 * 1024
#: Bytes before an index that are read with it: coarse levels of the pyramid.
_COARSE = 96 * 1024
#: What a file in the cache needs in addition to what was read of it.
_OVERHEAD = 64 * 1024
_THREADS = 8


class RangeReader(Protocol):
    """What the archive needs of the object store."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of an object from ``start`` on."""


class Archive:
    """Opens parts, and keeps in memory what was read last: objects never change.

    pyarrow is imported in a thread or when the first part is opened, since its import takes longer than the start of an
    API process.
    """

    def __init__(self, store: RangeReader | None, cache: int = _CACHE) -> None:
        self._store = store
        self._indexes: Cache[tuple[Any, ObjectFile]] = Cache(cache)
        self._files: Cache[ParquetReader] = Cache(cache)
        self._decoded: Cache[Any] = Cache(cache)
        self.recent = RecentMessages(cache)
        self._reads = ThreadPoolExecutor(_THREADS, thread_name_prefix="archive-read")
        #: Other threads, since their work waits for reads.
        self._work = ThreadPoolExecutor(_THREADS, thread_name_prefix="archive")

    @classmethod
    @contextmanager
    def opened(cls, store: RangeReader | None, cache: int = _CACHE) -> Iterator[Archive]:
        """Provide the archive in a store; None if the settings name none."""
        archive = cls(store, cache)
        try:
            yield archive
        finally:
            archive.close()

    def close(self) -> None:
        """End the threads once they are idle."""
        self._work.shutdown(wait=False, cancel_futures=True)
        self._reads.shutdown(wait=False, cancel_futures=True)

    def prepare(self) -> None:
        """Begin to import what reads parts, in a thread, so that the first read does not wait for it."""
        self._work.submit(import_module, "runstream_consumers.archive.part")

    def start_opening(self, record: PartRecord) -> Future[OpenPart]:
        """Open a part: in a thread, or at once if its index was read before."""
        if self._indexes.get(record.part) is None:
            return self._work.submit(self.open, record)
        opened: Future[OpenPart] = Future()
        opened.set_result(self.open(record))
        return opened

    def open(self, record: PartRecord) -> OpenPart:
        """Return a part; raises ObjectMissing, ObjectDamaged or StoreUnavailable."""
        from runstream_consumers.archive.part import OpenPart  # noqa: PLC0415 — imports pyarrow

        index, file = self._index(record)
        return OpenPart(
            record=record,
            index=index,
            index_file=file,
            file=lambda number: self._file(record, index.files[number].size, index.files[number].footer, number),
            decoded=self._decoded,
            start=self._start,
        )

    def _index(self, record: PartRecord) -> tuple[Any, ObjectFile]:
        from runstream_consumers.archive.part_index import read_index  # noqa: PLC0415
        from runstream_consumers.archive.storage.codec import IndexDamaged  # noqa: PLC0415

        if (found := self._indexes.get(record.part)) is not None:
            self._indexes.put(record.part, found, _OVERHEAD + found[1].used)
            return found
        key = index_key(record.base)
        file = ObjectFile(self._fetch, key, record.index_object_size, self._reads)
        begin = max(0, record.index_object_size - record.index_size - _COARSE)
        file.load([(begin, record.index_object_size - begin)])
        data = file.read(record.index_object_size - record.index_size, record.index_size)
        try:
            opened = (read_index(data), file)
        except IndexDamaged as error:
            raise ObjectDamaged(key) from error
        self._indexes.put(record.part, opened, _OVERHEAD + 4 * file.used)
        if record.files == 1:
            # Its metadata, too, since most parts that are opened are read, and soon.
            self._file(record, opened[0].files[0].size, opened[0].files[0].footer, 0)
        return opened

    def _file(self, record: PartRecord, size: int, footer: int, number: int) -> ParquetReader:
        from runstream_consumers.archive.parquet.reader import ParquetReader  # noqa: PLC0415

        found = self._files.get((record.part, number))
        if found is None:
            file = ObjectFile(self._fetch, file_key(record.base, number), size, self._reads)
            found = ParquetReader(file, footer)
        self._files.put((record.part, number), found, _OVERHEAD + found.file.used + 8 * footer)
        return found

    def _fetch(self, key: str, start: int, length: int) -> bytes:
        if self._store is None:
            raise StoreUnavailable(
                "Rows of this run are in the object store, and none is configured: set RUNSTREAM_S3_ENDPOINT"
            )
        return self._store.read_range(key, start, length)

    def _start(self, work: Callable[[], None]) -> Future[None]:
        return self._work.submit(work)
