"""Builds the API's models of runs from what the consumers' readers return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.delivery_report import lost_records
from runstream_consumers.api.documents.effective_state import read_state
from runstream_consumers.api.documents.inherited import charts_of
from runstream_consumers.api.problems import RunDeleted, RunNotFound
from runstream_consumers.history.postgres_blocks import BranchPoint, branches_of_runs
from runstream_consumers.liveness import failures
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.liveness.failures import WriterFailure
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary import reader as summary
from runstream_schemas import values
from runstream_schemas.attributes import Attributes, display_name, validated
from runstream_schemas.events import Failure, Role
from runstream_schemas.topics import RunPath

MICROSECONDS = 1_000_000
#: States in which more events are expected.
OPEN = frozenset({"pending", "running", "preempting"})
#: A clock that differs less is not mentioned.
_NOTED_OFFSET_S = 60
#: By which ``start_time`` and the stored time of the start may differ: the latter is in microseconds.
_ROUNDING_S = 1e-3


#: Whether a run was deleted and its description, by one statement.
_HEAD = (
    f"select ({runtime.IS_DELETED}) as is_deleted, described.* "  # noqa: S608 — of constants
    f"from (select) as this left join ({summary.DESCRIPTION}) as described on true"
)
#: Whether a run was deleted, and its writers.
_WRITERS = (
    f"select ({runtime.IS_DELETED}) as is_deleted, "  # noqa: S608 — of constants
    f"array(select row(writer, role, details) from ({liveness.WRITERS}) as found) as writers"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """A run of which something has arrived; either part, or both, may still be missing."""

    run: RunPath
    #: Empty if missing.
    document: summary.RunDocument
    state: liveness.RunState | None
    losses: Sequence[models.LostRecords] = ()
    #: Its writers, if an exception ended one of them.
    failures: Sequence[WriterFailure] = ()
    branches: Sequence[BranchPoint] = ()
    #: Charts of the runs that it continues.
    inherited_charts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def charts(self) -> Mapping[str, Any]:
        """Its charts by key, with the inherited ones whose table its summary has."""
        summary = self.document.summary
        inherited = {key: one for key, one in self.inherited_charts.items() if has_path(summary, str(one["table"]))}
        return inherited | dict(self.attributes.charts)

    @property
    def name(self) -> str:
        """The displayed name; the id if the run has no name."""
        known = self.attributes
        return display_name(known.name, known.generated_name, known.number) or self.run.run_id

    @property
    def attributes(self) -> Attributes:
        """The attributes, each of its type."""
        return validated(self.document.attributes)

    @property
    def lost(self) -> int:
        """The number of lost records."""
        return sum(loss.count for loss in self.losses)

    @property
    def started(self) -> float | None:
        """When the run started, seconds since 1970: by the clock of its first process unless that was ahead."""
        if not self.document.created:
            return None
        created, reported = seconds(self.document.created), self.attributes.start_time
        return created if reported is None or abs(reported - created) > _ROUNDING_S else reported

    @property
    def client_start(self) -> float | None:
        """When the run started by the clock of its process, from which the run time of rows is counted."""
        reported = self.attributes.start_time
        return self.started if reported is None else reported

    @property
    def ended(self) -> float | None:
        """When the run ended, seconds since 1970: by the clock of its processes, else the time of its latest event."""
        if self.state is None or self.state.state in OPEN or not self.document.created:
            return None
        return seconds(max(self.state.ended or self.document.updated, self.document.created))

    @property
    def clock_offset(self) -> float | None:
        """How far the clock of its processes is ahead of the broker's in seconds; None if that is little or unknown."""
        offset = seconds((self.state.clock_offset or 0) if self.state is not None else 0)
        return round(offset, 3) if abs(offset) >= _NOTED_OFFSET_S else None


async def find(connection: Connection, run: RunPath) -> FoundRun:
    """Return a run; raises RunNotFound if nothing of it has arrived, and RunDeleted."""
    if await runtime.is_deleted(connection, run):
        raise RunDeleted(run)
    document = await summary.run(connection, run)
    state = await read_state(connection, run)
    # A run of which only console lines, alerts or markers have arrived is known to neither of them.
    if document is None and state is None and not await runtime.progress(connection, run):
        raise RunNotFound(run)
    losses = (await read_losses(connection, [run])).get(run, ())
    failed = (await failures.read(connection, [run], tracebacks=True)).get(run, ())
    branches = (await branches_of_runs(connection, [run])).get(run, ())
    document = document or summary.RunDocument(run=run)
    charts = await charts_of(connection, run, branches) if branches else {}
    return FoundRun(
        run=run,
        document=document,
        state=state,
        losses=losses,
        failures=failed,
        branches=branches,
        inherited_charts=charts,
    )


async def client_start(connection: Connection, run: RunPath) -> float | None:
    """Return :attr:`FoundRun.client_start` of a run; raises RunNotFound and RunDeleted. Reads less than all of it."""
    row = await connection.fetchrow(_HEAD, run_key(run))
    if row["is_deleted"]:
        raise RunDeleted(run)
    if row["attributes"] is None:
        return (await find(connection, run)).client_start
    return FoundRun(run=run, document=summary.described(run, row), state=None).client_start


async def writer_labels(connection: Connection, run: RunPath) -> dict[bytes, str]:
    """Return the :func:`labels` of a run's writers; raises RunNotFound and RunDeleted. Reads less than all of it."""
    is_deleted, writers = await connection.fetchrow(_WRITERS, run_key(run))
    if is_deleted:
        raise RunDeleted(run)
    if not writers:
        await find(connection, run)
    return {
        writer.bytes: values.load(details)["label"] or default_label(writer.bytes, role)
        for writer, role, details in writers
    }


def has_path(tree: Mapping[str, Any], key: str) -> bool:
    """Whether nested dicts have a dotted path; their keys may have dots themselves."""
    return key in tree or any(
        isinstance(below, Mapping) and key.startswith(f"{name}.") and has_path(below, key[len(name) + 1 :])
        for name, below in tree.items()
    )


async def read_losses(connection: Connection, runs: Sequence[RunPath]) -> Mapping[RunPath, list[models.LostRecords]]:
    """Return the lost records of those runs that have lost some."""
    found = await runtime.losses_of_runs(connection, runs)
    return {run: lost_records(progress) for run, progress in found.items()}


def run_document(found: FoundRun, url: str) -> models.RunDocument:
    """Return the document of a run."""
    run, document, state = found.run, found.document, found.state
    known = found.attributes
    return models.RunDocument(
        entity=run.entity,
        project=run.project,
        id=run.run_id,
        name=found.name,
        generated_name=known.generated_name or None,
        number=known.number,
        state="pending" if state is None else state.state,
        qualifiers=[] if state is None else list(state.qualifiers),
        notes=known.notes or None,
        tags=list(known.tags),
        group=known.group or None,
        job_type=known.job_type or None,
        sweep_id=known.sweep_id or None,
        pinned_config_keys=list(known.pinned_config_keys),
        charts={key: models.Chart(**chart) for key, chart in found.charts.items()},
        branches=[
            models.Branch(run=None if item.run is None else str(item.run), step=item.step, time=seconds(item.time))
            for item in found.branches
        ],
        preempting=known.preempting,
        stop_requested=known.stop_requested,
        created_at=iso(document.created) if document.created else None,
        updated_at=iso(document.updated) if document.created else None,
        ended_at=None if found.ended is None else iso(round(found.ended * MICROSECONDS)),
        clock_offset_s=found.clock_offset,
        last_step=document.last_step,
        lost=found.lost,
        losses=list(found.losses),
        failure=_run_failure(found),
        config=document.config,
        summary=document.summary,
        metrics=document.metrics,
        metadata=document.metadata,
        invalid_attributes=dict(known.invalid),
        url=f"{url}{run_path(run)}",
    )


def _run_failure(found: FoundRun) -> models.RunFailure | None:
    state = "pending" if found.state is None else found.state.state
    writer = failures.deciding_failure(state, found.failures)
    if writer is None or writer.failure is None:
        return None
    failure = _failure(writer.failure).model_dump()
    return models.RunFailure(**failure, writer=writer.writer.hex(), role=writer.role, label=writer.label)


def _failure(failure: Failure) -> models.Failure:
    return models.Failure(type=failure.type, message=failure.message, traceback=failure.traceback or None)


def listed_document(found: FoundRun, url: str) -> models.RunDocument:
    """Return the document of a run in a list: without its packages, uncommitted changes and charts, which are long."""
    document = run_document(found, url)
    metadata, git, omitted = dict(document.metadata), document.metadata.get("git"), []
    if metadata.pop("packages", None) is not None:
        omitted.append("packages")
    if isinstance(git, dict) and "diff" in git:
        metadata["git"] = {name: value for name, value in git.items() if name != "diff"}
        omitted.append("git.diff")
    return document.model_copy(update={"metadata": metadata, "omitted": omitted, "charts": {}})


def state_answer(state: liveness.RunState | None, failed: Sequence[WriterFailure] = ()) -> models.StateAnswer:
    """Return the state of a run, of its writers, and its transitions."""
    ends = {writer.writer: writer.failure for writer in failed}
    if state is None:
        return models.StateAnswer(state="pending", qualifiers=[], writers=[], transitions=[])
    return models.StateAnswer(
        state=state.state,
        qualifiers=list(state.qualifiers),
        writers=[_writer_state(writer, ends.get(writer.writer)) for writer in state.writers],
        transitions=[
            models.Transition(time=seconds(item.time), before=item.from_state, to=item.to_state, reason=item.reason)
            for item in state.transitions
        ],
    )


def run_path(run: RunPath) -> str:
    """Return the path of a run's page, quoted."""
    return f"{project_path(run.entity, run.project)}/runs/{quote(run.run_id, safe='')}"


def project_path(entity: str, project: str) -> str:
    """Return the path of a project's page, quoted."""
    return f"/{quote(entity, safe='')}/{quote(project, safe='')}"


def iso(microseconds: int) -> str:
    """Return a time as ISO 8601 in UTC."""
    # A float would be rounded beyond the last year.
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(microseconds: int) -> float:
    """Return a time as seconds since 1970."""
    return microseconds / MICROSECONDS


def labels(states: Sequence[liveness.WriterState]) -> dict[bytes, str]:
    """Return the label of each writer; its role and the first digits of its id if it has none."""
    return {writer.writer: writer.label or default_label(writer.writer, writer.role) for writer in states}


def default_label(writer: bytes, role: str) -> str:
    """Return the label of a writer that has none."""
    # The rows of a shipper in the history are those of TensorBoard's event files.
    return f"{'TensorBoard' if role == Role.SHIPPER.value else role} {writer.hex()[:6]}"


def _writer_state(writer: liveness.WriterState, failure: Failure | None) -> models.WriterState:
    return models.WriterState(
        writer=writer.writer.hex(),
        role=writer.role,
        label=writer.label,
        host=writer.host,
        state=writer.state,
        qualifiers=list(writer.qualifiers),
        last_time=seconds(writer.last_time),
        exit_code=writer.exit_code,
        signal=writer.signal,
        reason=writer.reason,
        failure=None if failure is None else _failure(failure),
        continues=[earlier.hex() for earlier in writer.continues],
    )


#: Points by key and writer.
