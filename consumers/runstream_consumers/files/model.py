"""What is known of one file of a run. Pure: a function of the events about it, in any grouping, however often repeated.

Of each kind of event the last one in the partition counts: of contents, of announcements, of losses, of deletions. A
content stays until it is deleted, also if a later one is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, TypeAlias
from uuid import UUID

from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_schemas.events import FileContent, FileEvent, Kind
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


class FileRow(NamedTuple):
    """A file, in the order of the columns of its table; offsets are -1 if there is no such event."""

    run: UUID
    path: str
    entity: UUID
    stored: int
    size: int
    sha256: bytes | None
    media_type: str
    announced: int
    lost: int
    reason: str
    deleted: int
    policy: str
    writer: UUID
    append_time: int
    time: int
    principal: str

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
        return max(self, other, key=lambda one: one.last)._replace(
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
    if event.kind not in {Kind.DATA, Kind.DROPPED, Kind.DELETED}:
        return
    blank = _blank(received, event)
    for file in event.contents:
        if file.path:
            yield _row(blank, received.offset, event, file)


def _blank(received: Received, event: FileEvent) -> FileRow:
    """Return what the rows of all files of an event have in common."""
    return FileRow(
        run=run_key(event.run),
        path="",
        entity=UUID(hex=entity_key(event.run.entity)),
        stored=-1,
        size=0,
        sha256=None,
        media_type="",
        announced=-1,
        lost=-1,
        reason="",
        deleted=-1,
        policy=event.policy.value,
        writer=writer_key(event.writer.id),
        append_time=received.append_time,
        time=event.time,
        principal=_text(event.principal),
    )


def _row(blank: FileRow, offset: int, event: FileEvent, file: FileContent) -> FileRow:
    path = file.path
    if problem := problem_of_name(path):
        raise MalformedEvent(f"Invalid name of a file {path[:100]!r}: {problem}")
    if file.reason or event.kind is Kind.DROPPED:
        return blank._replace(path=path, lost=offset, reason=_text(file.reason))
    if event.kind is Kind.DELETED:
        return blank._replace(path=path, deleted=offset)
    if not file.object_key:
        return blank._replace(path=path, announced=offset)
    if len(file.sha256) != 32 or file.object_key != object_key(event.run.entity, file.sha256):  # noqa: PLR2004
        raise MalformedEvent(f"Invalid object key of file {path!r}: {file.object_key[:200]!r}")
    media_type = _text(file.media_type) if file.media_type else ""
    return blank._replace(path=path, stored=offset, size=file.size, sha256=file.sha256, media_type=media_type)


def fold(rows: dict[FileKey, FileRow], row: FileRow) -> None:
    """Add what an event says to what is known."""
    known = rows.get(row.key)
    rows[row.key] = row if known is None else known.merge(row)


def _text(text: str) -> str:
    """Return text that Postgres accepts."""
    return text[:_REASON_LENGTH].encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
