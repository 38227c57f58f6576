"""The files of a run folder, shared by the training process and the shipper."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runstream.descriptors import above_standard
from runstream.run_folder.descriptions import ID_BYTES, RunInfo, WriterInfo, continued_writers, parse_id
from runstream.run_folder.json_files import read_json, write_json
from runstream.run_folder.process_identity import Host, process_image, process_start
from runstream.spool.control_page import CONTROL_NAME, ControlPage, Word
from runstream_schemas.events import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

EVENT_FILES_NAME = "tensorboard.jsonl"
_WRITER_FILE = "writer.json"


class UnusableRunError(Exception):
    """The folder is not a run folder, or its ``run.json`` cannot be used."""


class RunFolder:
    """The files of one run. Nothing is read or created until it is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.files = self.path / "files"
        self.logs = self.path / "logs"
        self.spool = self.path / "spool"
        self.console = self.logs / "console.log"
        self.ledger = self.path / "delivery.json"
        self.report = self.path / "report.json"
        #: The event files that the training process requests to be read.
        self.event_files = self.path / EVENT_FILES_NAME

    @classmethod
    def create(cls, root: Path, info: RunInfo) -> RunFolder:
        """Create the folder of a new run in ``root/runstream``; its start and host are set to now and this machine."""
        info = replace(info, started=time.time_ns() // 1000, host=Host.here().name)
        folder = cls(_create_unique(root.absolute() / "runstream", info))
        try:
            for path in (folder.files, folder.logs, folder.spool):
                path.mkdir(mode=0o700)
            _ = folder.control
            write_json(folder.path / "run.json", info.to_json())
        except OSError:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        folder.info = info
        return folder

    def restore(self) -> None:
        """Write ``run.json`` again if it was deleted or damaged; does nothing if that is not possible."""
        path = self.path / "run.json"
        with contextlib.suppress(OSError):
            if read_json(path) is None and not self.gone:
                write_json(path, self.info.to_json())

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Return an existing run folder; raise UnusableRunError if it is not one."""
        folder = cls(path)
        _ = folder.info
        return folder

    @property
    def gone(self) -> bool:
        """Whether the folder was deleted or moved."""
        try:
            self.path.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    @cached_property
    def control(self) -> ControlPage:
        """The control page, created if it does not exist, and rebuilt if it is damaged."""
        return ControlPage(self.path / CONTROL_NAME)

    @cached_property
    def info(self) -> RunInfo:
        """The run; raises UnusableRunError if ``run.json`` is missing, damaged, or of another version."""
        path = self.path / "run.json"
        if (data := read_json(path)) is None:
            raise UnusableRunError(f"Not a run folder: {self.path}: run.json is missing or damaged")
        try:
            return RunInfo.from_json(data)
        except ValueError as error:
            raise UnusableRunError(f"Cannot use {path}: {error}") from error

    @property
    def uploads_left(self) -> tuple[int, int, int]:
        """Files that are to be uploaded, their bytes, and the bytes that the shipper has sent."""
        control = self.control
        return control[Word.UPLOAD_FILES], control[Word.UPLOAD_BYTES], control[Word.UPLOADED_BYTES]

    def delete_staged(self) -> None:
        """Delete what is left of staged files; to be called once everything is delivered."""
        shutil.rmtree(self.path / "staged", ignore_errors=True)

    def writers(self) -> Iterator[bytes]:
        """Yield the ids of the writers whose folders are complete enough to be read."""
        try:
            names = os.listdir(self.spool)  # noqa: PTH208 (only the names are needed)
        except FileNotFoundError:
            return
        for name in names:
            if (writer := parse_id(name)) and (self.spool / name / _WRITER_FILE).exists():
                yield writer

    def writer_folder(self, writer: bytes) -> Path:
        """Return the folder of a writer."""
        return self.spool / writer.hex()

    def writer_info(self, writer: bytes) -> WriterInfo:
        """Return the description of a writer."""
        info = WriterInfo.from_json(writer, read_json(self.writer_folder(writer) / _WRITER_FILE) or {})
        return self._with_start(info) if info.relative else info

    def create_writer(
        self,
        role: Role,
        label: str,
        *,
        continues: tuple[bytes, ...] = (),
        relative: bool = False,
        source: str = "",
        writer: bytes = b"",
    ) -> tuple[Path, bytes]:
        """Create the folder of a new writer of this process; return the folder and the writer's id."""
        _, identifier = self.draft_writer(
            role, label, continues=continues, relative=relative, source=source, writer=writer
        )
        return self.publish_writer(identifier), identifier

    def draft_writer(
        self,
        role: Role,
        label: str,
        *,
        continues: tuple[bytes, ...] = (),
        relative: bool = False,
        source: str = "",
        writer: bytes = b"",
    ) -> tuple[Path, bytes]:
        """Create the folder of a writer that nobody sees before it is published; return it and the writer's id."""
        host = Host.here()
        info = WriterInfo(
            id=writer or secrets.token_bytes(ID_BYTES),
            role=role,
            pid=os.getpid(),
            pid_started=process_start(os.getpid()),
            boot_id=host.boot_id,
            created=time.time_ns() // 1000,
            host=host.name,
            label=label,
            image=process_image(os.getpid()),
            continues=continues,
            relative=relative,
            source=source,
        )
        draft = self._draft_folder(info.id)
        draft.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(draft / _WRITER_FILE, info.to_json())
        return draft, info.id

    def publish_writer(self, writer: bytes) -> Path:
        """Give the folder of a writer its name, with all that is in it; return it. A second call does nothing."""
        path = self.writer_folder(writer)
        try:
            self._draft_folder(writer).rename(path)
        except OSError:
            if not path.exists():
                raise
        return path

    def discard_writer(self, writer: bytes) -> None:
        """Delete the folder of a writer that is not published."""
        shutil.rmtree(self._draft_folder(writer), ignore_errors=True)

    def _draft_folder(self, writer: bytes) -> Path:
        return self.spool / f".{writer.hex()}"

    def save_start(self, base: int, writers: Sequence[Mapping[str, Any]]) -> None:
        """Store permanently at which step the run was when it was first delivered, and its writers until then."""
        write_json(self.path / "start.json", {"version": 1, "base": base, "writers": list(writers)}, durable=True)

    def _with_start(self, info: WriterInfo) -> WriterInfo:
        """Return a relative writer with its base and the writers that it continues, as far as they are known."""
        if (start := read_json(self.path / "start.json")) is None:
            return replace(info, base=None)
        base = start.get("base")
        info = replace(info, base=base if isinstance(base, int) else 0)
        if info.role in {Role.PRIMARY, Role.WORKER}:
            return replace(info, continues=continued_writers(start.get("writers") or (), info.role, info.label))
        return info


def lock(path: Path) -> int | None:
    """Lock a file exclusively, creating it if needed; return its descriptor, or None if another process holds it."""
    descriptor = above_standard(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _create_unique(parent: Path, info: RunInfo) -> Path:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(info.started / 1e6))
    number = 1
    while True:
        path = parent / (f"run-{stamp}-{info.run_id}" + (f"-{number}" if number > 1 else ""))
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return path
        number += 1
