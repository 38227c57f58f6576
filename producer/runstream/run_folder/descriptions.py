"""The contents of ``run.json`` and ``writer.json``, read and written in one place.

When read, a field that is missing or has the wrong type gets its default.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from runstream_schemas.events import Role, Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 1
ID_BYTES = 16
_ROLES = {role.value: role for role in Role}
_DEFAULT_SYSTEM_INTERVAL_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run, as ``run.json`` describes it."""

    run_id: str
    #: None to use the server's default entity.
    entity: str | None = None
    project: str
    mode: str = ""
    #: Microseconds since 1970.
    started: int = 0
    host: str = ""
    name: str = ""
    #: The user chose the name.
    named: bool = False
    #: The name shown if the user did not choose one, before the server's number is appended.
    generated_name: str | None = None
    #: Number of the run in its project, if the server assigned it before the run began.
    number: int | None = None
    program: str | None = None
    label: str = ""
    url: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunInfo:
        """Return the run in the object of ``run.json``; raise ValueError for an unusable version, id or project."""
        if data.get("version") != VERSION:
            raise ValueError(f"unsupported version {data.get('version')!r}: this Runstream reads version {VERSION}")
        run_id, project, settings = _text(data.get("run_id")), _text(data.get("project")), data.get("settings")
        if not run_id or not project:
            raise ValueError("run_id or project is missing")
        return cls(
            run_id=run_id,
            entity=_text(data.get("entity")) or None,
            project=project,
            mode=_text(data.get("mode")),
            started=_integer(data.get("started")),
            host=_text(data.get("host")),
            name=_text(data.get("name")) or run_id,
            named=bool(data.get("named")),
            generated_name=_text(data.get("generated_name")) or None,
            number=data.get("number"),
            program=_text(data.get("program")) or None,
            label=_text(data.get("label")),
            url=_text(data.get("url")) or None,
            settings=settings if isinstance(settings, dict) else {},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object for ``run.json``."""
        return {"version": VERSION, **asdict(self)}

    @property
    def wants_number(self) -> bool:
        """Whether the run is shown by a generated name and was not numbered when it began."""
        return self.generated_name is not None and not self.named and self.number is None

    @property
    def identify_exit_signal(self) -> bool:
        """Whether the kernel may be asked how the training process ended."""
        return self.settings.get("identify_exit_signal") is not False

    @property
    def decides(self) -> bool:
        """Whether the ends of this process's writers count for the state of the run (the state vote)."""
        return self.settings.get("update_finish_state") is not False

    @property
    def waits_for_all(self) -> bool:
        """Whether the run continues until every writer with a state vote has ended."""
        return self.settings.get("ends_with") == "all"

    @property
    def system_interval_s(self) -> float:
        """Seconds between two samples of system metrics; 0 to take none."""
        if self.settings.get("capture_system_metrics") is False:
            return 0.0
        interval = self.settings.get("system_interval_s")
        return float(interval) if isinstance(interval, int | float) and interval > 0 else _DEFAULT_SYSTEM_INTERVAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterInfo:
    """A writer, as ``writer.json`` in its spool folder describes it."""

    id: bytes
    role: Role
    pid: int
    #: Clock ticks after boot at which the process started, or None if unknown.
    pid_started: int | None
    boot_id: str
    created: int
    host: str
    label: str
    #: See :func:`process_image`; None if unknown.
    image: int | None = None
    continues: tuple[bytes, ...] = ()
    #: The writer did not know the last step of its run: implicit steps are relative to ``base``.
    relative: bool = False
    #: None if not known yet. Not stored in ``writer.json``: see ``start.json``.
    base: int | None = 0
    #: For a shipper's writer: where its rows come from; empty for the shipper itself.
    source: str = ""

    @classmethod
    def from_json(cls, writer: bytes, data: Mapping[str, Any]) -> WriterInfo:
        """Return the writer that the object in ``writer.json`` describes."""
        started, image = data.get("pid_started"), data.get("image")
        return cls(
            id=writer,
            role=_ROLES.get(_text(data.get("role")), Role.UNKNOWN),
            pid=_integer(data.get("pid")),
            pid_started=started if isinstance(started, int) else None,
            boot_id=_text(data.get("boot_id")),
            created=_integer(data.get("created")),
            host=_text(data.get("host")),
            label=_text(data.get("label")),
            image=image if isinstance(image, int) else None,
            continues=tuple(found for name in data.get("continues") or () if (found := parse_id(str(name)))),
            relative=data.get("relative") is True,
            source=_text(data.get("source")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object for ``writer.json``."""
        stored = {name: value for name, value in asdict(self).items() if name not in {"id", "base"}}
        continues = [one.hex() for one in self.continues]
        return {"version": VERSION, **stored, "role": self.role.value, "continues": continues}

    @property
    def writer(self) -> Writer:
        """The writer as it appears in events."""
        return Writer(id=self.id, role=self.role, continues=self.continues)


def parse_id(name: str) -> bytes | None:
    """Return the writer id that a hexadecimal name spells, or None if the name is not a writer id."""
    try:
        writer = bytes.fromhex(name)
    except ValueError:
        return None
    return writer if len(writer) == ID_BYTES else None


#: Roles of the writers that a primary continues.
_BEFORE_PRIMARY = frozenset({Role.PRIMARY.value, Role.CHILD.value, Role.COMMAND.value})


def continued_writers(writers: Sequence[Mapping[str, Any]], role: Role, label: str) -> tuple[bytes, ...]:
    """Return the earlier writers that a new writer continues: those of its role that no other writer continues yet.

    A primary writer continues the primary writers and their forked children, and the commands that set values of the
    summary, which its rows then replace; a worker continues the workers with its label.
    """
    followed = {earlier for writer in writers for earlier in writer["continues"]}
    if role is Role.PRIMARY:
        mine = [writer for writer in writers if writer["role"] in _BEFORE_PRIMARY]
    else:
        mine = [writer for writer in writers if (writer["role"], writer["label"]) == (role.value, label) and label]
    return tuple(sorted(bytes.fromhex(writer["writer"]) for writer in mine if writer["writer"] not in followed))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
