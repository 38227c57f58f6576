"""The Parquet files that hold the archived rows of a run."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.documents.run_documents import find
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import TheConnection, TheRun, TheStore
from runstream_consumers.archive.layout import LAKE, file_key
from runstream_consumers.archive.manifest import exported_parts, has_hot_rows
from runstream_schemas.events import Stream

router = APIRouter(prefix="/api/v1", tags=["history"])


class ExportedFile(BaseModel):
    """A Parquet file."""

    model_config = ConfigDict(extra="forbid")

    name: str
    #: A presigned URL at the object store.
    url: str


class Exports(BaseModel):
    """The Parquet files of a run."""

    model_config = ConfigDict(extra="forbid")

    files: list[ExportedFile]
    #: Whether the files have every row that has arrived so far.
    complete: bool
    #: How long the URLs are valid, in seconds.
    expires_s: int


@router.get(f"{RUN}/exports", summary="The Parquet files of a run's history", responses=described(Exports))
async def exports(run: TheRun, connection: TheConnection, store: TheStore) -> Response:
    """Return presigned URLs of the files that the compactor has written (docs/archive.md), by their first step.

    `complete` is false while rows of the run are still in the database only.
    """
    await find(connection, run)
    parts = await exported_parts(connection, run, Stream.HISTORY)
    is_complete = not await has_hot_rows(connection, run, Stream.HISTORY)
    keys = [file_key(part.base, number) for part in parts for number in range(part.files)]
    signed: list[Any] = await asyncio.to_thread(
        lambda: [store.presign_get(key, expires_s=store.expires_s).url for key in keys]
    )
    files = [
        ExportedFile(name=key.removeprefix(LAKE).rpartition("/")[2], url=url)
        for key, url in zip(keys, signed, strict=True)
    ]
    return ValuesResponse(Exports(files=files, complete=is_complete, expires_s=store.expires_s))
