"""A run folder as the shipper finds it: what lies where, and what ``run.json`` and ``writer.json`` say.

What the files say is not trusted to be whole: a field that is missing or of a wrong type takes its default.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.spool.continuation import continued
from runstream_schemas.events import Role, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ID_BYTES = 16


class UnusableRunError(Exception):
    """The folder is no run folder, or its ``run.json`` cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What ``run.json`` says of the run."""

    run_id: str
    #: None: as the server says.
    entity: str | None
    project: str
    mode: str
    started: int
    name: str
    #: The run is shown by a generated name, and the server did not number it when it began.
    wants_number: bool = False
    host: str
    label: str
    url: str | None
    settings: Mapping[str, Any]

    @property
    def identify_exit_signal(self) -> bool:
        """Whether the kernel may be asked how the trainer ended."""
        return self.settings.get("identify_exit_signal") is not False

    @property
    def decides(self) -> bool:
        """Whether the writers have a say in the state of the run."""
        return self.settings.get("update_finish_state") is not False

    @property
    def waits_for_all(self) -> bool:
        """Whether the run goes on until every writer that decides has ended."""
        return self.settings.get("ends_with") == "all"

    @property
    def system_interval_s(self) -> float:
        """Seconds between two samples of the system; 0 where none are wanted."""
        if self.settings.get("capture_system_metrics") is False:
            return 0.0
        interval = self.settings.get("system_interval_s")
        return float(interval) if isinstance(interval, int | float) and interval > 0 else 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterInfo:
    """What ``writer.json`` says of a writer."""

    id: bytes
    role: Role
    pid: int
    #: Clock ticks after boot at which the process started; None where that is not known.
    pid_started: int | None
    boot_id: str
    created: int
    host: str
    label: str
    continues: tuple[bytes, ...] = ()
    #: It did not know how far its run is: steps that nobody said count from ``base`` on.
    relative: bool = False
    #: None: that is not known yet.
    base: int | None = 0

    @property
    def writer(self) -> Writer:
        """The writer as events name it."""
        return Writer(id=self.id, role=self.role, continues=self.continues)


class RunFolder:
    """The files of one run.

    Args:
        path: The run folder.

    Raises:
        UnusableRunError: It is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.spool = self.path / "spool"
        self.logs = self.path / "logs"
        self.console = self.logs / "console.log"
        self.control = self.path / "control"
        self.ledger = self.path / "delivery.json"
        self.report = self.path / "report.json"
        self.info = _parse_run_info(self.path / "run.json")

    def writers(self) -> Iterator[bytes]:
        """Yield the ids of the writers whose folders are complete enough to be read."""
        try:
            with os.scandir(self.spool) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return
        for name in names:
            writer = _id_of(name)
            if writer and (self.spool / name / "writer.json").exists():
                yield writer

    def writer_folder(self, writer: bytes) -> Path:
        """Return the folder of a writer."""
        return self.spool / writer.hex()

    def writer_info(self, writer: bytes) -> WriterInfo:
        """Return what a writer says of itself."""
        data = read_json(self.writer_folder(writer) / "writer.json") or {}
        if data.get("relative") is True:
            data |= self._start_of(data)
        role = data.get("role")
        started = data.get("pid_started")
        return WriterInfo(
            id=writer,
            role=Role(role) if role in {item.value for item in Role} else Role.UNKNOWN,
            pid=_integer(data.get("pid")),
            pid_started=started if isinstance(started, int) else None,
            boot_id=_text(data.get("boot_id")),
            created=_integer(data.get("created")),
            host=_text(data.get("host")),
            label=_text(data.get("label")),
            continues=tuple(found for name in data.get("continues") or () if (found := _id_of(str(name)))),
            relative=data.get("relative") is True,
            base=data.get("base", 0),
        )

    def note_start(self, base: int, writers: Sequence[Mapping[str, Any]]) -> None:
        """Write down, for good, how far the run was when it was first delivered, and who had written to it."""
        write_json(self.path / "start.json", {"version": 1, "base": base, "writers": list(writers)})

    def _start_of(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return where a writer begins that did not know how far its run is, and whose work it carries on."""
        start = read_json(self.path / "start.json")
        if start is None:
            return {"base": None}
        found: dict[str, Any] = {"base": _integer(start.get("base"))}
        role = data.get("role")
        if role in {Role.PRIMARY.value, Role.WORKER.value}:
            earlier = continued(start.get("writers") or (), Role(role), _text(data.get("label")))
            found["continues"] = [one.hex() for one in earlier]
        return found


def lock(path: Path) -> int | None:
    """Take an exclusive lock on a file, made if need be; return its descriptor, or None where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file, None where there is none or it is no JSON object."""
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def write_json(path: Path, data: object, *, durable: bool = True) -> None:
    """Replace a JSON file in one step; where ``durable``, it survives a power cut once this returns."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(data, file, separators=(",", ":"))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    if durable:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse_run_info(path: Path) -> RunInfo:
    data = read_json(path)
    if data is None:
        raise UnusableRunError(f"{path.parent} is no run folder: run.json is missing or damaged")
    if data.get("version") != 1:
        raise UnusableRunError(f"{path}: version {data.get('version')!r}; this Runstream reads version 1")
    run_id, project = _text(data.get("run_id")), _text(data.get("project"))
    if not run_id or not project:
        raise UnusableRunError(f"{path} names no run")
    settings = data.get("settings")
    return RunInfo(
        run_id=run_id,
        entity=_text(data.get("entity")) or None,
        project=project,
        mode=_text(data.get("mode")),
        started=_integer(data.get("started")),
        name=_text(data.get("name")) or run_id,
        wants_number=bool(data.get("generated_name")) and not data.get("named") and data.get("number") is None,
        host=_text(data.get("host")),
        label=_text(data.get("label")),
        url=_text(data.get("url")) or None,
        settings=settings if isinstance(settings, dict) else {},
    )


def _id_of(name: str) -> bytes | None:
    try:
        writer = bytes.fromhex(name)
    except ValueError:
        return None
    return writer if len(writer) == ID_BYTES else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
