"""Writes the facts of events to the tables, each merged with the one that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from runstream_consumers.artifacts.model import Facts
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries

QUERIES = load_queries(files(__package__) / "queries.sql")


async def save(connection: Connection, facts: Facts) -> None:
    """Merge facts into the tables.

    Other partitions write the same rows at the same time: all take their locks in the same order.
    """
    await _add(connection, "add_collections", {(key,): row for key, row in facts.collections.items()})
    await _add(connection, "add_versions", facts.versions)
    await _add(connection, "add_properties", facts.properties)
    await _add(connection, "add_labels", facts.labels)
    await _add(connection, "add_lineage", facts.lineage)
    await _add(connection, "add_contributions", facts.contributions)


async def _add(connection: Connection, query: str, facts: Mapping[Any, tuple[Any, ...]]) -> None:
    if facts:
        rows = [(*key, *facts[key]) for key in sorted(facts)]
        await connection.execute(QUERIES[query], *columns_of(rows))
