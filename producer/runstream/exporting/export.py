"""Exporting a run, or all runs of a project."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.exceptions import Error, UsageError
from runstream.exporting.formats import Format, check_installed, write_table
from runstream.exporting.row_spool import RowSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from runstream.public_api.run import Run

_PAGE_ROWS = 5000
#: Runs that are exported at the same time.
_THREADS = 4
_ENDED = frozenset({"finished", "failed", "crashed", "killed", "preempted"})
#: What the table of runs has of a run, besides its config and summary.
_FACTS = ("name", "state", "created_at", "ended_at", "tags", "notes", "group", "job_type")
#: Qualifiers of the state of a run whose processes have ended, while records of it still arrive.
_ARRIVING = frozenset({"finishing", "incomplete"})
_RUNS, _HISTORY = "runs", "history"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written of a run."""

    run: str
    #: None if the file of an earlier export was kept, or the run could not be exported.
    path: Path | None
    rows: int = 0
    #: Why more rows may come, as its state; empty if none will.
    unfinished: str = ""
    #: Why the run was not exported; empty if it was.
    problem: str = ""

    @property
    def note(self) -> str:
        """What a reader of the file should know; empty if nothing."""
        if not self.unfinished:
            return ""
        return f"{self.run} is {self.unfinished}: its {self.rows:,} rows until now are exported"


def export_run(
    run: Run, path: Path, chosen: Format, *, replace: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Exported:
    """Write the rows of a run to a file.

    Args:
        run: The run.
        path: The file, which is complete or does not exist.
        chosen: The format.
        replace: Replace an existing file.
        progress: Called with the number of rows so far.

    Raises:
        Error: A package is missing that the format needs.
        UsageError: The file exists, or cannot be written.
        CommError: The server does not answer.
    """
    check_installed(chosen)
    if path.exists() and not replace:
        raise UsageError(f"{str(path)!r} exists: use --replace to replace it")
    document = run.load(force=True)
    try:
        with RowSpool(path.parent) as rows:
            for row in run.scan_history(page_size=_PAGE_ROWS):
                rows.add(row)
                if not rows.count % _PAGE_ROWS:
                    progress(rows.count)
            write_table(rows, path, chosen, _facts(run, document, rows.count))
            return Exported("/".join(run.path), path, rows.count, _unfinished(document))
    except OSError as error:
        raise UsageError(f"Cannot write {str(path)!r}: {error.strerror or error}") from error


def export_project(runs: Iterable[Run], folder: Path, chosen: Format, *, replace: bool = False) -> Iterator[Exported]:
    """Write the rows of runs to ``history/ID``, and a table of the runs with config and summary; yield each run.

    Files of runs that had ended when they were exported are kept, unless they are to be replaced: an export that was
    interrupted goes on. The others are named ``ID.unfinished``. A run that cannot be exported has a problem, and the
    others are exported. Raises as :func:`export_run`.
    """
    check_installed(chosen)
    try:
        (folder / _HISTORY).mkdir(parents=True, exist_ok=True)
        with RowSpool(folder) as table, ThreadPoolExecutor(_THREADS) as threads:
            waiting: set[Future[Exported]] = set()
            try:
                for run in runs:
                    table.add({"id": run.id, **_row(run.load())})
                    waiting.add(threads.submit(_exported, run, folder, chosen, replace=replace))
                    if len(waiting) > 2 * _THREADS:
                        done, waiting = wait(waiting, return_when="FIRST_COMPLETED")
                        yield from (future.result() for future in done)
                yield from (future.result() for future in waiting)
            finally:
                threads.shutdown(cancel_futures=True)
            write_table(table, folder / f"{_RUNS}.{chosen.value}", chosen, {})
    except OSError as error:
        raise UsageError(f"Cannot write to {str(folder)!r}: {error.strerror or error}") from error


def _exported(run: Run, folder: Path, chosen: Format, *, replace: bool) -> Exported:
    """Export a run of a project; the name of its file shows whether it had ended."""
    complete = folder / _HISTORY / f"{run.id}.{chosen.value}"
    partial = folder / _HISTORY / f"{run.id}.unfinished.{chosen.value}"
    try:
        if complete.exists() and not replace:
            return Exported("/".join(run.path), None)
        path = partial if _unfinished(run.load(force=True)) else complete
        found = export_run(run, path, chosen, replace=True)
        if path == complete:
            partial.unlink(missing_ok=True)
    except (Error, OSError) as error:
        return Exported("/".join(run.path), None, problem=str(error))
    return found


def _unfinished(document: Mapping[str, Any]) -> str:
    """Return the state of a run of which more rows may come, or an empty string."""
    left = [name for name in document.get("qualifiers") or () if name in _ARRIVING]
    if document["state"] in _ENDED and not left:
        return ""
    return " and ".join([str(document["state"]), *left])


def _facts(run: Run, document: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return what a Parquet file stores of a run beside its rows."""
    return {"run": "/".join(run.path), "rows": rows, "complete": not _unfinished(document), **_row(document)}


def _row(document: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: document.get(name) for name in _FACTS}
    return {**facts, "config": document.get("config") or {}, "summary": document.get("summary") or {}}
