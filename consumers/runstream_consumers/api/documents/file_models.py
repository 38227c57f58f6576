"""The requests and responses about files of runs (docs/http-api.md)."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from runstream_consumers.api.documents.object_models import Sha256, Size
from runstream_consumers.api.documents.run_documents import iso
from runstream_consumers.files.model import FileRow, FileState
from runstream_schemas.topics import RunPath


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewFile(_Model):
    """A file whose bytes are stored already."""

    name: str
    size: Size
    sha256: Sha256
    media_type: str = Field(default="", max_length=200)


class File(_Model):
    """A file of a run."""

    name: str
    #: Of the content; 0 and empty if there is none.
    size: int
    sha256: str
    media_type: str
    policy: str
    #: stored, uploading or dropped.
    state: str
    #: Why the last content could not be kept.
    reason: str
    updated_at: str
    #: Id of the writer, hexadecimal.
    writer: str
    #: Where the content is; empty if it is not stored.
    url: str


class FileList(_Model):
    """Files of a run, by name."""

    files: list[File]
    next: str | None


class FileName(_Model):
    """The file that a command is about."""

    name: str


def file_of(run: RunPath, row: FileRow, url: str) -> File:
    """Return the document of a file; ``url`` is that of the API."""
    stored = row.state is FileState.STORED
    return File(
        name=row.path,
        size=row.size if stored else 0,
        sha256=row.sha256.hex() if stored and row.sha256 else "",
        media_type=row.media_type if stored else "",
        policy=row.policy,
        state=row.state.value,
        reason=row.problem,
        updated_at=iso(row.append_time),
        writer=row.writer.hex,
        url=f"{url}{file_path(run, row.path)}" if stored else "",
    )


def file_path(run: RunPath, name: str) -> str:
    """Return the path of the content of a file at the API."""
    parts = (quote(part, safe="") for part in (run.entity, run.project, run.run_id))
    return f"/api/v1/runs/{'/'.join(parts)}/files/{quote(name, safe='/')}"
