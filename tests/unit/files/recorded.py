"""An offline run in this process, and what it recorded of files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import runstream
from runstream.spool.format import TopicCode
from tests.unit.producer.spooled import of_topic, only_run, primary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Recorded by each run itself.
OWN_FILES = frozenset({"wandb-metadata.json", "requirements.txt", "diff.patch", "config.yaml"})


@contextmanager
def offline_run(folder: Path, **settings: Any) -> Iterator[runstream.Run]:
    """Record a run below a folder until the end of the context."""
    chosen = {"console": "off", "x_disable_meta": True, "disable_git": True, **settings}
    run = runstream.init(mode="offline", project="p", id="r1", dir=folder, settings=chosen, reinit="create_new")
    try:
        yield run
    finally:
        run.finish()


def file_records(folder: Path) -> list[dict[str, Any]]:
    """Return what the only run below a folder recorded of files, one by one, without those of the run itself."""
    every = [one for record in of_topic(primary(folder), TopicCode.FILE) for one in _each(record)]
    return [one for one in every if one["path"] not in OWN_FILES]


def _each(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "files" not in record:
        yield record
        return
    for path, offset, size, sha256 in record["files"]:
        one = {"path": path, "policy": record["policy"], "staged": record["staged"]}
        yield one | {"offset": offset, "size": size, "sha256": sha256}


def content(folder: Path, record: dict[str, Any]) -> bytes:
    """Return the staged content of a record."""
    path = only_run(folder) / str(record["staged"])
    data, offset = path.read_bytes(), record.get("offset")
    return data if offset is None else data[offset : offset + record["size"]]
