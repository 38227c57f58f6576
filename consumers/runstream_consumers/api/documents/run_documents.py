"""The JSON documents of the API, made from what the consumers' readers return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import effective_state as shown
from runstream_consumers.api.problems import BadParameter, RunNotFound
from runstream_consumers.history.reader import Row
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.summary import reader as summary
from runstream_schemas.events import Role
from runstream_schemas.naming import display_name
from runstream_schemas.topics import RunPath, canonical_project

_MICROSECONDS = 1_000_000

#: Attributes that are fields of the document, with what stands there when a run has not set them.
_ATTRIBUTES: Mapping[str, Any] = {
    "generated_name": None,
    "number": None,
    "notes": None,
    "tags": [],
    "group": None,
    "job_type": None,
    "pinned_config_keys": [],
    "preempting": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one run; one of the two may not have heard of it yet."""

    run: RunPath
    document: summary.RunDocument | None
    state: liveness.RunState | None

    @property
    def name(self) -> str:
        """What the run is shown as; its id where it has no name."""
        said = {} if self.document is None else self.document.attributes
        found = display_name(said.get("name"), said.get("generated_name"), said.get("number"))
        return found or self.run.run_id

    @property
    def started(self) -> float | None:
        """When the run began, in seconds since 1970: as its first writer said, else its first event's time."""
        if self.document is None:
            return None
        said = self.document.attributes.get("start_time")
        return float(said) if isinstance(said, int | float) else self.document.created / _MICROSECONDS


async def find(connection: Connection, run: RunPath) -> Known:
    """Return what is known of a run; raises RunNotFound where that is nothing."""
    document = await summary.run(connection, run)
    state = await shown.state(connection, run)
    if document is None and state is None:
        raise RunNotFound(run)
    return Known(run=run, document=document, state=state)


async def find_runs(
    connection: Connection, *, entity: str | None, project: str | None, limit: int, after: str | None
) -> list[Known]:
    """Return runs, newest first, with their states; raises BadParameter for an ``after`` that is no cursor."""
    try:
        project = None if project is None else canonical_project(project)
        documents = await summary.runs(connection, entity=entity, project=project, limit=limit, after=after)
    except (ValueError, OverflowError) as error:
        raise BadParameter("after", "is not the `next` of an answer") from error
    states = await shown.states(connection, [document.run for document in documents])
    return [Known(run=item.run, document=item, state=states.get(item.run)) for item in documents]


def next_of(found: Sequence[Known], limit: int) -> str | None:
    """Return the cursor of the page behind this one, None where this one was not full."""
    last = found[-1].document if len(found) == limit else None
    return None if last is None else last.cursor


def run_json(known: Known, url: str) -> dict[str, Any]:
    """Return the document of a run."""
    run, document, state = known.run, known.document, known.state
    attributes = {} if document is None else document.attributes
    return {
        "entity": run.entity,
        "project": run.project,
        "id": run.run_id,
        "name": known.name,
        "state": "pending" if state is None else state.state,
        "qualifiers": [] if state is None else list(state.qualifiers),
        **{name: attributes.get(name) or default for name, default in _ATTRIBUTES.items()},
        "stop_requested": bool(attributes.get("stop_requested")),
        "created_at": None if document is None else iso(document.created),
        "updated_at": None if document is None else iso(document.updated),
        "last_step": None if document is None else document.last_step,
        "config": {} if document is None else document.config,
        "summary": {} if document is None else document.summary,
        "metrics": [] if document is None else document.metrics,
        "metadata": {} if document is None else document.metadata,
        "url": run_url(url, run),
    }


def state_json(state: liveness.RunState | None) -> dict[str, Any]:
    """Return the state of a run, of each writer, and how it came about."""
    if state is None:
        return {"state": "pending", "qualifiers": [], "writers": [], "transitions": []}
    return {
        "state": state.state,
        "qualifiers": list(state.qualifiers),
        "writers": [_writer_json(writer) for writer in state.writers],
        "transitions": [
            {"time": seconds(item.time), "from": item.from_state, "to": item.to_state, "reason": item.reason}
            for item in state.transitions
        ],
    }


def row_json(row: Row, started: float | None) -> dict[str, Any]:
    """Return a row with its step, time and writer beside its values."""
    place = place_json(step=row.step, writer=row.writer, time=row.time, started=started)
    hidden = {"_hidden": True} if row.hidden else {}
    return {**row.values, **place, "_late": row.late, **hidden}


def place_json(*, step: int, writer: bytes, time: int, started: float | None) -> dict[str, Any]:
    """Return the step of a row, its time and run time in seconds, and its writer."""
    timestamp = seconds(time)
    runtime = {} if started is None else {"_runtime": max(0.0, round(timestamp - started, 6))}
    return {"_step": step, "_timestamp": timestamp, **runtime, "_writer": writer.hex()}


def run_url(url: str, run: RunPath) -> str:
    """Return the address of a run's page, quoted."""
    entity, project, run_id = (quote(part, safe="") for part in (run.entity, run.project, run.run_id))
    return f"{url}/{entity}/{project}/runs/{run_id}"


def iso(microseconds: int) -> str:
    """Return a time as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(microseconds / _MICROSECONDS, tz=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(microseconds: int) -> float:
    """Return a time as seconds since 1970."""
    return microseconds / _MICROSECONDS


def _writer_json(writer: liveness.WriterState) -> dict[str, Any]:
    return {
        "writer": writer.writer.hex(),
        "role": writer.role,
        "label": writer.label,
        "host": writer.host,
        "state": writer.state,
        "qualifiers": list(writer.qualifiers),
        "last_time": seconds(writer.last_time),
        "exit_code": writer.exit_code,
        "signal": writer.signal,
        "reason": writer.reason,
    }


def labels(states: Sequence[liveness.WriterState]) -> dict[bytes, str]:
    """Return the label of each writer, or what it is and its first digits where it has none."""
    return {writer.writer: writer.label or f"{_what(writer)} {writer.writer.hex()[:6]}" for writer in states}


def _what(writer: liveness.WriterState) -> str:
    # What a shipper adds to the history is read from the event files of TensorBoard.
    return "TensorBoard" if writer.role == Role.SHIPPER.value else writer.role
