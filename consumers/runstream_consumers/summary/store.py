"""The tables of the summary consumer: a row per run and a row per part of a large run, read and written in bulk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import UUID

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary import listing, packing
from runstream_consumers.summary.layout import Layout
from runstream_schemas.attributes import validated
from runstream_schemas.summary_algebra.summary_state import Changed, SummaryState
from runstream_schemas.topics import RunPath

QUERIES = load_queries(files("runstream_consumers.summary") / "queries.sql")

_TEXTS = ("config", "attributes", "metadata", "metrics")
#: Assignments of a run up to which its document is written whole with each batch that changes it.
_FEW = 512
#: The largest share of the assignments that is stored beside a document; beyond it, the document is written whole.
_CHANGED = 1 / 16


@dataclass(slots=True)
class StoredState:
    """A run's summary state, and the layout of its stored parts."""

    state: SummaryState
    layout: Layout
    #: Number of assignments that are stored beside the document.
    beside: int = 0

    @classmethod
    def new(cls, run: RunPath) -> StoredState:
        """Return the state of a run without events, of which everything is to be stored."""
        state = SummaryState(run=run, changed=Changed(keys=True, document=True, rules=True))
        return cls(state, Layout(state))

    def must_write_document(self) -> bool:
        """Return whether the document has to be written whole, rather than what was assigned since beside it.

        A large document is written once for many assignments, so that each costs the same however large it is.
        """
        changed, known = self.state.changed, self.state.assignments
        beside = self.beside + sum(map(len, changed.assigned.values()))
        changed.document |= bool(changed.assigned) and (known <= _FEW or beside > known * _CHANGED)
        self.beside = 0 if changed.document else beside
        return changed.document


async def load(connection: Connection, runs: Collection[RunPath]) -> dict[RunPath, StoredState]:
    """Return the states of those runs that have a row."""
    if not runs:
        return {}
    paths = {run_key(run): run for run in runs}
    parts: dict[UUID, list[bytes]] = {}
    for row in await connection.fetch(QUERIES["load_parts"], list(paths)):
        parts.setdefault(row["run"], []).append(row["keys"])
    rows = await connection.fetch(QUERIES["load"], list(paths))
    return {paths[row["run"]]: stored_state_of(paths[row["run"]], row, parts.get(row["run"], ())) for row in rows}


def stored_state_of(run: RunPath, row: Any, parts: Iterable[bytes]) -> StoredState:
    """Return the state that is stored in a row and in the parts of its run."""
    state = packing.unpack(run, row["keys"], row["document"], row["changes"])
    beside = sum(len(items) for changes in row["changes"] for items in packing.unpack_changes(changes).values())
    state.created, state.updated, state.last_step = row["created"], row["updated"], row["last_step"]
    first = list(state.keys)
    layout = Layout(state, [first, *(packing.unpack_keys(state, part) for part in parts)], by_hand=row["by_hand"])
    return StoredState(state, layout, beside)


async def create(connection: Connection, runs: Sequence[StoredState]) -> None:
    """Insert the rows of runs that have none."""
    await _write(connection, "create", runs, lambda run: (run.entity, run.project, run.run_id))


async def save(connection: Connection, runs: Sequence[StoredState]) -> None:
    """Update what changed of runs that have a row."""
    await _write(connection, "save", runs, lambda _: ())


async def _write(
    connection: Connection, query: str, runs: Sequence[StoredState], names: Callable[[RunPath], tuple[str, ...]]
) -> None:
    if runs:
        parts: list[tuple[Any, ...]] = []
        rows: list[tuple[Any, ...]] = []
        changes: list[tuple[Any, ...]] = []
        listings: list[tuple[Any, ...]] = []
        outdated: list[UUID] = []
        for stored in runs:
            had_changes = stored.beside > 0
            if stored.must_write_document():
                outdated += [run_key(stored.state.run)] * had_changes
            elif stored.state.changed.assigned:
                changes.append((run_key(stored.state.run), packing.pack_changes(stored.state)))
            projected = stored.layout.projections(stored.state, stored.layout.touched(stored.state))
            summaries = {part: packing.text_of(tree) for part, tree in projected.items()}
            parts += _parts(stored, summaries)
            documents = packing.documents(stored.state) if stored.state.changed.document else {}
            listings.append(_listing(stored, projected[0], documents))
            rows.append((*_columns(stored, summaries[0], documents), *names(stored.state.run)))
        await connection.execute(QUERIES[query], *columns_of(rows))
        await connection.execute(QUERIES["list"], *columns_of(listings))
        if parts:
            await connection.execute(QUERIES["save_parts"], *columns_of(parts))
        if outdated:
            await connection.execute(QUERIES["drop_changes"], outdated)
        if changes:
            await connection.execute(QUERIES["add_changes"], *columns_of(changes))


def _parts(stored: StoredState, summaries: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """Return the rows of the parts that changed, except for part 0, which is stored in the run's own row."""
    state, layout = stored.state, stored.layout
    return [
        (run_key(state.run), part, packing.pack_keys(layout.keys_of(state, part)), summary)
        for part, summary in summaries.items()
        if part
    ]


def _listing(stored: StoredState, summary: Mapping[str, Any], documents: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the row of a run in lists; None for what did not change.

    Of a large run it has the part of the summary that is stored in the run's own row, and the config as it was when the
    document was written whole.
    """
    state, keys = stored.state, listing.listed(summary)
    is_partial = keys.partial or stored.beside > 0 or len(stored.layout.parts) > 1
    described = None
    if documents or "attributes" in state.changed.assigned:
        config = listing.listed(documents.get("config") or state.config.resolve(), listing.CONFIG)
        is_partial |= config.partial
        user = state.metadata.entries.get(("username",))
        known = validated(documents.get("attributes") or state.attributes.resolve())
        own = listing.described(state.run.run_id, known, None if user is None else user.value)
        described = listing.to_json({**config, **own})
    names = state.run.entity, state.run.project, state.run.run_id
    return run_key(state.run), *names, state.created, state.updated, described, listing.to_json(keys), is_partial


def _columns(stored: StoredState, summary: str, documents: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the columns of a run's row, None for those that did not change, and mark the state as unchanged."""
    state = stored.state
    changed, state.changed = state.changed, Changed()
    texts = packing.texts(documents)
    return (
        run_key(state.run),
        state.created,
        state.updated,
        state.last_step,
        packing.pack_keys(stored.layout.keys_of(state, 0), state.latest) if changed.keys else None,
        packing.pack_document(state) if changed.document else None,
        summary,
        *(texts.get(name) for name in _TEXTS),
    )
