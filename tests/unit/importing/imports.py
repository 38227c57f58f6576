"""Importing into a folder, without a server, for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.importing.session import Destination, Importer
from runstream.spool.format import TopicCode
from tests.unit.producer.spooled import of_topic, records, writers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream.importing.records import Found
    from runstream.importing.report import RunReport

DATA = Path(__file__).resolve().parents[2] / "data" / "imports"


def recorded(root: Path, found: Iterable[Found], destination: Destination | None = None) -> list[RunReport]:
    """Record runs below a folder; return the reports."""
    importer = Importer(root, destination or Destination())
    try:
        return list(importer.run(found))
    finally:
        importer.close()


def folders(root: Path) -> list[Path]:
    """Return the run folders, oldest first."""
    return sorted((root / "runstream").glob("run-*"))


def rows(folder: Path) -> list[tuple[int, int, dict[str, Any]]]:
    """Return step, time and values of the rows of a run folder."""
    (writer,) = writers(folder, "primary")
    values = of_topic(writer, TopicCode.LOG)
    found = [record for record in records(writer) if record.topic == TopicCode.LOG]
    return [(record.step, record.time, row) for record, row in zip(found, values, strict=True)]


def entries(folder: Path, topic: TopicCode = TopicCode.CONFIG) -> list[Any]:
    """Return the entries of the config, or of the summary."""
    (writer,) = writers(folder, "primary")
    return [entry for record in of_topic(writer, topic) for entry in record]


def settings(folder: Path, scope: str) -> dict[str, Any]:
    """Return the values of a scope by their paths, joined with dots."""
    return {".".join(path): value for given, _, path, value in entries(folder) if given == scope}


def exit_of(folder: Path) -> dict[str, Any]:
    """Return the exit of a run folder."""
    (writer,) = writers(folder, "primary")
    (found,) = of_topic(writer, TopicCode.EXIT)
    return dict(found)
