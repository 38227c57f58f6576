"""Reading what a client wrote to its spool, by the documented format and without the shipper."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.spool.format import Flag, TopicCode
from runstream.spool.reader import SpoolReader, SpoolRecord

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A row as it is published."""

    seq: int
    step: int
    values: dict[str, Any]


def records(writer: Path) -> list[SpoolRecord]:
    """Return the records in the folder of a writer."""
    reader = SpoolReader(writer)
    found: list[SpoolRecord] = []
    while batch := reader.read(ended=True):
        found += batch
    reader.close()
    return found


def of_topic(writer: Path, topic: TopicCode) -> list[Any]:
    """Return the payloads of a topic."""
    return [msgspec.msgpack.decode(record.payload) for record in records(writer) if record.topic == topic]


def rows(writer: Path) -> list[Row]:
    """Return the rows of a writer: the appends that open them, merged with those that join them."""
    found: list[Row] = []
    is_open: Row | None = None
    for record in records(writer):
        if record.topic != TopicCode.LOG or record.flags & Flag.DROPPED:
            continue
        values = msgspec.msgpack.decode(record.payload)
        row = is_open
        if record.flags & Flag.OPENS:
            row = Row(record.seq, record.step, values)
            found.append(row)
        else:
            assert row is not None, "an append joins a row that is closed"
            assert row.seq == record.seq
            _merge(row.values, values)
        if not record.flags & Flag.LATE_ROW:
            is_open = None if record.flags & Flag.CLOSES else row
    return found


def steps_and_values(writer: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return steps and values of the rows of a writer."""
    return [(row.step, row.values) for row in rows(writer)]


def only_run(folder: Path) -> Path:
    """Return the only run folder below a folder."""
    (found,) = (folder / "runstream").iterdir()
    return found


def writers(run: Path, role: str) -> list[Path]:
    """Return the folders of the writers of a role."""
    spool = run / "spool"
    return [path for path in spool.iterdir() if json.loads((path / "writer.json").read_text())["role"] == role]


def primary(folder: Path) -> Path:
    """Return the folder of the primary writer of the only run below a folder."""
    (found,) = writers(only_run(folder), "primary")
    return found


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
