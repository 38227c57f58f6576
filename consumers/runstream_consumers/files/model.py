"""What is known of one file of a run. Pure: a function of the events about it, in any grouping, however often repeated.

Of each kind of event the last one in the partition counts: of contents, of announcements, of losses, of deletions. A
content stays until it is deleted, also if a later one is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_schemas.events import FileEvent, Kind
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.stored.objects import entity_key, object_key

#: A run, and the name of a file in it.
FileKey: TypeAlias = tuple[UUID, str]

_REASON_LENGTH = 2000


class FileState(StrEnum):
    """Whether a file can be read."""

    STORED = "stored"
    #: Its content is announced and follows.
    UPLOADING = "uploading"
    #: It could not be kept.
    DROPPED = "dropped"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file, in the order of the columns of its table; offsets are -1 if there is no such event."""

    run: UUID
    path: str
    entity: UUID
    stored: int = -1
    size: int = 0
    sha256: bytes | None = None
    media_type: str = ""
    announced: int = -1
    lost: int = -1
    reason: str = ""
    deleted: int = -1
    policy: str = ""
    writer: UUID
    append_time: int
    time: int
    principal: str = ""

    @property
    def key(self) -> FileKey:
        """Which file it is."""
        return self.run, self.path

    @property
    def last(self) -> int:
        """The offset of the last event."""
        return max(self.stored, self.announced, self.lost, self.deleted)

    @property
    def state(self) -> FileState:
        """Whether the file can be read."""
        if self.stored > self.deleted:
            return FileState.STORED
        if max(self.announced, self.lost) <= self.deleted:
            return FileState.DELETED
        return FileState.UPLOADING if self.announced > self.lost else FileState.DROPPED

    @property
    def problem(self) -> str:
        """Why the last content could not be kept; empty if that was not the last event but deletions."""
        return self.reason if self.lost > max(self.stored, self.deleted) else ""

    def merge(self, other: FileRow) -> FileRow:
        """Return what is known from both, of the same file. Commutative, associative and idempotent."""
        content = max(self, other, key=lambda one: one.stored)
        loss = max(self, other, key=lambda one: one.lost)
        return replace(
            max(self, other, key=lambda one: one.last),
            stored=content.stored,
            size=content.size,
            sha256=content.sha256,
            media_type=content.media_type,
            announced=max(self.announced, other.announced),
            lost=loss.lost,
            reason=loss.reason,
            deleted=max(self.deleted, other.deleted),
        )


def rows_of(received: Received, event: FileEvent) -> Iterator[FileRow]:
    """Yield what one event states of each file that it names; nothing for a marker of unknown records.

    Raises MalformedEvent if the event has an invalid name, or a key that is not that of its content.
    """
    for one in event.each():
        if (row := _row(received, one)) is not None:
            yield row


def _row(received: Received, event: FileEvent) -> FileRow | None:
    if not event.path or event.kind not in {Kind.DATA, Kind.DROPPED, Kind.DELETED}:
        return None
    if problem := problem_of_name(event.path):
        raise MalformedEvent(f"Invalid name of a file {event.path[:100]!r}: {problem}")
    row = FileRow(
        run=run_key(event.run),
        path=event.path,
        entity=UUID(hex=entity_key(event.run.entity)),
        policy=event.policy.value,
        writer=writer_key(event.writer.id),
        append_time=received.append_time,
        time=event.time,
        principal=_text(event.principal),
    )
    match event.kind:
        case Kind.DROPPED:
            return replace(row, lost=received.offset, reason=_text(event.reason))
        case Kind.DELETED:
            return replace(row, deleted=received.offset)
    if not event.object_key:
        return replace(row, announced=received.offset)
    if len(event.sha256) != 32 or event.object_key != object_key(event.run.entity, event.sha256):  # noqa: PLR2004
        raise MalformedEvent(f"Invalid object key of file {event.path!r}: {event.object_key[:200]!r}")
    return replace(
        row, stored=received.offset, size=event.size, sha256=event.sha256, media_type=_text(event.media_type)
    )


def fold(rows: dict[FileKey, FileRow], row: FileRow) -> None:
    """Add what an event says to what is known."""
    known = rows.get(row.key)
    rows[row.key] = row if known is None else known.merge(row)


def _text(text: str) -> str:
    """Return text that Postgres accepts."""
    return text[:_REASON_LENGTH].encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
