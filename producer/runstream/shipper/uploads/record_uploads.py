"""The uploads of a run folder: what waiting records name is stored, in threads, and retried until it is."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from runstream.exceptions import CommError
from runstream.run_folder.folder import RunFolder
from runstream.shipper.background import BackgroundTasks
from runstream.shipper.ledger.upload_gate import GatedRecord, Outcome
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.route import NoServerError, Route
from runstream.shipper.uploads.artifact_upload import ArtifactUpload
from runstream.shipper.uploads.content import SINGLE_BYTES, Content
from runstream.shipper.uploads.encoders import Encoders
from runstream.shipper.uploads.file_upload import FileUpload
from runstream.shipper.uploads.group_upload import GroupUpload
from runstream.shipper.uploads.object_api import BATCH, ObjectApi
from runstream.shipper.uploads.store_client import StoreError
from runstream.shipper.uploads.uploader import StoppedError, Uploader
from runstream.shipper.uploads.watched_files import WatchedFiles
from runstream.spool.format import TopicCode
from runstream_schemas.topics import RunPath, Topic

log = logging.getLogger(__name__)

#: Memory for records that wait, beyond which the spools are not read.
_MOST_WAITING = 100 * 1024 * 1024
#: Batches of small files at a time: one is read and confirmed while the other one is sent. Large files are uploaded
#: one at a time, part by part, so that small ones do not wait for them.
_SMALL_BATCHES = 2
_LARGEST_BATCH = 4 * SINGLE_BYTES
_LONGEST_PAUSE_S = 15.0


Upload: TypeAlias = FileUpload | GroupUpload | ArtifactUpload


@dataclass(frozen=True, slots=True)
class Remaining:
    """Number and bytes of the files that are not stored yet, and the bytes that were sent so far."""

    files: int = 0
    size: int = 0
    sent: int = 0


class RecordUploads:
    """Uploads what records of files and artifacts name; the gate of their topics.

    ``get_run`` returns the run that events name, ``record`` appends to the shipper's own spool, and ``changed`` is
    called when an upload has ended.
    """

    topics: Collection[Topic] = (Topic.FILE, Topic.ARTIFACT)

    def __init__(
        self,
        folder: RunFolder,
        route: Route,
        settings: ShipperSettings,
        tasks: BackgroundTasks,
        *,
        get_run: Callable[[], RunPath | None],
        watched: WatchedFiles,
        record: Callable[[TopicCode, Mapping[str, Any]], None],
        changed: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._route = route
        self._settings = settings
        self._tasks = tasks
        self._get_run = get_run
        self._watched = watched
        self._record = record
        self._changed = changed
        self._uploader = Uploader(folder.path / "uploads.json")
        self._encoders = Encoders()
        self._threads = ThreadPoolExecutor(_SMALL_BATCHES + 3, thread_name_prefix="uploads")
        self._small: deque[FileUpload | GroupUpload] = deque()
        self._large: deque[FileUpload] = deque()
        self._artifacts: dict[bytes, deque[ArtifactUpload]] = {}
        #: The files that artifacts are made of whose records follow, by their ids and the paths of the files.
        self._parts: dict[str, dict[str, Content]] = {}
        #: Batches that are being uploaded: of small files, of large ones, of the artifacts of each writer.
        self._running: Counter[object] = Counter()
        self._active: dict[int, Upload] = {}
        self._files = self._size = 0
        self._api: ObjectApi | None = None
        #: Bytes of the records that wait.
        self.load = 0
        #: Why nothing is uploaded at the moment; empty while it is.
        self.problem = ""

    @property
    def full(self) -> bool:
        """Whether so many records wait that no more are read."""
        return self.load > _MOST_WAITING

    @property
    def progress(self) -> int:
        """A number that grows while anything is uploaded."""
        return self._uploader.sent + self._uploader.settled

    def remaining(self) -> Remaining:
        """Return what is not stored yet."""
        files, size = self._files, self._size
        for upload in self._active.values():
            size += sum(one.open_bytes for one in upload.contents)
            if isinstance(upload, ArtifactUpload):
                files += sum(not one.settled for one in upload.contents)
            else:
                size -= upload.known_size
        return Remaining(files, max(size, 0), self._uploader.sent)

    def submit(self, record: GatedRecord, finish: Callable[[Outcome], None]) -> None:
        """Begin to upload what a record names."""
        payload = record.payload if isinstance(record.payload, dict) else {}
        local = str(payload.get("local") or "")
        if record.topic is Topic.ARTIFACT:
            parts = self._parts.pop(local, {})
            artifact = ArtifactUpload(self._folder.path, record.writer, record.seq, payload, finish, parts)
            self._artifacts.setdefault(record.writer, deque()).append(artifact)
        elif "files" in payload:
            self._queue(GroupUpload(self._folder.path, payload, finish))
        elif self._watched.add(record.writer, record.seq, payload):
            finish(Outcome())
        else:
            file = FileUpload(self._folder.path, payload, finish)
            if local:
                self._parts.setdefault(local, {})[file.content.label] = file.content
            self._queue(file)
        self._start()

    def _queue(self, upload: FileUpload | GroupUpload) -> None:
        if isinstance(upload, FileUpload) and upload.settled:
            upload.finish(upload.outcome("", math.inf))
            return
        if isinstance(upload, FileUpload) and upload.known_size > SINGLE_BYTES:
            self._large.append(upload)
        else:
            self._small.append(upload)
        self._files += upload.count
        self._size += upload.known_size

    def trim(self) -> None:
        """End processes that are not needed any more."""
        self._encoders.trim()

    def close(self) -> None:
        """Stop: what is not uploaded stays in the folder."""
        self._uploader.close()
        self._encoders.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._small and self._running["small"] < _SMALL_BATCHES:
            self._begin("small", _next_batch(self._small))
        if self._large and not self._running["large"]:
            self._begin("large", [self._large.popleft()])
        for writer, waiting in self._artifacts.items():
            if waiting and not self._running[writer] and waiting[0].ready:
                self._begin(writer, [waiting.popleft()])

    def _begin(self, kind: object, uploads: Sequence[Upload]) -> None:
        self._running[kind] += 1
        self._active.update((id(one), one) for one in uploads)
        self._tasks.start("uploads", self._run(kind, uploads))

    async def _run(self, kind: object, uploads: Sequence[Upload]) -> None:
        """Upload what some records name, until it is stored or lost."""
        pause = self._settings.first_retry_s
        while uploads:
            try:
                await self._attempt(uploads)
                problem = ""
            except StoppedError:
                return
            except (StoreError, NoServerError, CommError, OSError) as error:
                problem = str(error) or type(error).__name__
            self._note_problem(problem)
            left = [one for one in uploads if not self._end(one)]
            if len(left) < len(uploads):
                self._changed()
                self._start()  # what waits for these
                pause = self._settings.first_retry_s
            uploads = left
            if uploads:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        self._running[kind] -= 1
        self._start()

    async def _attempt(self, uploads: Sequence[Upload]) -> None:
        """Try once, in a thread. What fails for an unexpected reason is lost, instead of the whole run."""
        run, loop = self._get_run(), asyncio.get_running_loop()
        if run is None:
            raise NoServerError("the run has no entity yet")
        api = self._object_api(run.entity)
        try:
            await loop.run_in_executor(self._threads, partial(self._work, uploads, api, run))
        except (StoreError, NoServerError, OSError):
            raise
        except Exception as error:
            log.exception("cannot upload")
            if len(uploads) == 1:
                uploads[0].lose(f"cannot be uploaded: {type(error).__name__}: {error}")
                return
            for one in uploads:
                await self._attempt([one])

    def _work(self, uploads: Sequence[Upload], api: ObjectApi, run: RunPath) -> None:
        files = [one for one in uploads if not isinstance(one, ArtifactUpload)]
        encoded = [one for one in files if isinstance(one, FileUpload) and one.encoded and not one.settled]
        if encoded:
            self._uploader.each(partial(FileUpload.encode, encoders=self._encoders), encoded)
        if files:
            self._uploader.store([content for one in files for content in one.contents], api)
        for one in uploads:
            if isinstance(one, ArtifactUpload) and not one.settled:
                one.run(self._uploader, api, run)

    def _end(self, upload: Upload) -> bool:
        """Finish an upload that is settled; return whether it is."""
        run = self._get_run()
        if not upload.settled or run is None:
            return False
        del self._active[id(upload)]
        if isinstance(upload, ArtifactUpload):
            if upload.follow_up is not None:
                self._record(TopicCode.ARTIFACT, upload.follow_up)
        else:
            self._files -= upload.count
            self._size -= upload.known_size
            self._watched.note_end(upload.record)
        kept_s = self._api.kept_s if self._api is not None else math.inf
        upload.finish(upload.outcome(run.entity, time.monotonic() + kept_s / 2))
        return True

    def _object_api(self, entity: str) -> ObjectApi:
        """Return the API of the server that answered last."""
        server = self._route.server
        if self._api is None or (self._api.server, self._api.entity) != (server, entity):
            self._api = ObjectApi(server, entity)
        return self._api

    def _note_problem(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("not uploading: %s", problem)
        self.problem = problem


def _next_batch(waiting: deque[FileUpload | GroupUpload]) -> list[FileUpload | GroupUpload]:
    batch = [waiting.popleft()]
    count, size = batch[0].count, batch[0].known_size
    while waiting and count + waiting[0].count <= BATCH and size + waiting[0].known_size <= _LARGEST_BATCH:
        batch.append(waiting.popleft())
        count, size = count + batch[-1].count, size + batch[-1].known_size
    return batch
