"""Where the objects of a part are in the store, and what the manifest has of a part. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

#: The folder of the archive in the bucket. Other objects are below the hash of their entity.
LAKE = "lake/"


def base_of(run: RunPath, stream: Stream, part: UUID) -> str:
    """Return what the keys of the objects of a part begin with: folders as Hive names them, and the part."""
    folders = {"entity": run.entity, "project": run.project, "run": run.run_id, "stream": stream.value}
    path = "/".join(f"{name}={quote(value, safe='')}" for name, value in folders.items())
    return f"{LAKE}{path}/{part.hex}"


def file_key(base: str, number: int) -> str:
    """Return the key of a Parquet file of a part."""
    return f"{base}-{number:04}.parquet"


def index_key(base: str) -> str:
    """Return the key of the index of a part; programs that read folders of Parquet files ignore names like this."""
    folder, _, name = base.rpartition("/")
    return f"{folder}/_{name}.index"


def object_keys(base: str, files: int) -> list[str]:
    """Return the keys of all objects of a part."""
    return [index_key(base), *(file_key(base, number) for number in range(files))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """A part as the manifest describes it."""

    run: RunPath
    stream: Stream
    part: UUID
    base: str
    #: Number of Parquet files.
    files: int
    #: Size of the object with the index, and of the index at its end.
    index_object_size: int
    index_size: int
    rows: int
    #: Number of values, and of columns of keys.
    points: int
    columns: int
    min_step: int
    max_step: int
    #: The least and the greatest offset of its rows.
    first_offset: int
    last_offset: int
