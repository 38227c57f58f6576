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
    """Return the records of files of the only run below a folder, without those of the run itself."""
    return [one for one in of_topic(primary(folder), TopicCode.FILE) if one["path"] not in OWN_FILES]


def content(folder: Path, record: dict[str, Any]) -> bytes:
    """Return the staged content of a record."""
    path = only_run(folder) / str(record["staged"])
    return path.read_bytes()
