"""Going on from what is there: ``init(resume=...)``, ``resume_from`` and ``fork_from``."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.exceptions import CommError, UsageError
from runstream.run_folder.continuation import continued_writers
from runstream.server.endpoints import fetch_resume_state
from runstream.tracking.run.start import BranchPoint, RunStart
from runstream.tracking.startup.server_lookup import look_up_server
from runstream_schemas.events import Role
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.settings import Settings
    from runstream.terminal.terminal import Terminal
    from runstream.tracking.startup.server_lookup import ServerLookup

#: In the folder ``runstream``: the run that ``resume="auto"`` began last there.
_LATEST = "latest-run.json"
_BRANCH_POINT = re.compile(r"([^?]+)\?_step=(\d{1,18})")
#: Seconds between two questions to a server that is not ready.
_PAUSE_S = 0.2
#: Attributes of a run that stay as they are where ``init()`` does not name them, by the name of their setting.
_KEPT = {
    "run_name": "name",
    "run_notes": "notes",
    "run_tags": "tags",
    "run_group": "group",
    "run_job_type": "job_type",
    "sweep_id": "sweep_id",
}


def plan_resume(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the id of the run that ``resume`` or ``resume_from`` means, where they say so.

    Args:
        settings: As they were given.
        folder: The folder ``runstream``, in which the latest run is noted.

    Raises:
        ValueError: They exclude each other, or are spelled wrong.
        UsageError: ``resume="must"`` without an id.
    """
    if sum(given is not None for given in (settings.resume, settings.resume_from, settings.fork_from)) > 1:
        raise ValueError("resume, resume_from and fork_from exclude each other: give one of them")
    if settings.fork_from is not None and parse_branch_point("fork_from", settings.fork_from).run_id == settings.run_id:
        raise ValueError(f"a run cannot be forked from itself; to rewind it: init(resume_from={settings.fork_from!r})")
    if settings.resume_from is not None:
        moment = parse_branch_point("resume_from", settings.resume_from)
        if settings.run_id not in {None, moment.run_id}:
            raise ValueError(f"id={settings.run_id!r} and resume_from={settings.resume_from!r} name two runs")
        return settings.model_copy(update={"run_id": moment.run_id})
    if settings.mode in {"offline", "disabled"}:
        return settings
    if settings.resume == "must" and settings.run_id is None:
        raise UsageError('resume="must" needs the id of the run that is to be resumed: init(id=..., resume="must")')
    if settings.resume == "auto" and settings.run_id is None:
        latest = _latest(folder)
        if latest.get("project") == settings.project and latest.get("entity") == settings.entity:
            return settings.model_copy(update={"run_id": latest.get("run_id")})
    return settings


def parse_branch_point(name: str, text: str) -> BranchPoint:
    """Return the run and the step of ``ID?_step=N``.

    Raises:
        ValueError: It is spelled otherwise.
    """
    found = _BRANCH_POINT.fullmatch(text)
    if found is None:
        raise ValueError(f"{name}={text!r} is not spelled 'ID?_step=N', with the id of a run and a step of it")
    return BranchPoint(found.group(1), int(found.group(2)))


def save_latest_run(folder: Path, settings: Settings) -> None:
    """Write down the run that begins, for the next ``resume="auto"``; does nothing where that cannot be written."""
    latest = {"run_id": settings.run_id, "entity": settings.entity, "project": settings.project}
    draft = folder / f".{_LATEST}"
    try:
        draft.write_text(json.dumps(latest))
        draft.replace(folder / _LATEST)
    except OSError:
        return


@dataclass(frozen=True, slots=True)
class ResumeResolver:
    """Finds out where a run begins.

    Args:
        settings: Those of the run, its id among them.
        environ: Names the server.
        role: What this process is in the run.
        label: Its name among the run's writers.
        terminal: Where warnings go.
        named: Whether ``init()``, or the environment, named the id.
        meant: Whether the id is that of a run which may be there: it was named, or is that of the latest run.
    """

    settings: Settings
    environ: Mapping[str, str]
    role: Role
    label: str
    terminal: Terminal
    named: bool
    meant: bool

    def start(self, lookup: ServerLookup, fresh_id: str) -> tuple[ServerLookup, RunStart]:
        """Return where the run begins, and the server that said so.

        Args:
            lookup: What came of asking the server.
            fresh_id: The id of a new run where the latest one of this folder has ended in order.

        Raises:
            UsageError: There is no such run, or there is one where there must be none.
            CommError: Nothing answers in time, and it cannot be done without an answer.
        """
        settings = self.settings
        wanted = settings.resume or settings.resume_from or settings.fork_from
        if wanted is None or (settings.resume == "allow" and not self.meant):
            return lookup, RunStart(settings=settings)
        if settings.mode == "offline":
            self.terminal.warn(f"offline, nothing is carried on: this run starts at step 0, whatever {wanted!r} says")
            return lookup, RunStart(settings=settings)
        deadline = time.monotonic() + settings.init_timeout
        try:
            lookup = self._reach(lookup, deadline)
            if settings.fork_from is not None:
                return lookup, self._forked(lookup, parse_branch_point("fork_from", settings.fork_from), deadline)
            if settings.resume_from is not None:
                return lookup, self._rewound(lookup, parse_branch_point("resume_from", settings.resume_from), deadline)
            return lookup, self._resumed(lookup, deadline, fresh_id)
        except CommError as error:
            if settings.resume == "allow":
                self.terminal.warn(
                    f"how far run {settings.run_id} is cannot be asked ({error}): its steps are counted from 0 here, "
                    "and go on behind what is there once it is delivered"
                )
                return lookup, RunStart(settings=settings, relative=True)
            raise self._unanswered(str(error)) from error

    def _reach(self, lookup: ServerLookup, deadline: float) -> ServerLookup:
        """Return a server that answers; where it may be done without one, it is asked once.

        Raises:
            CommError: None answers.
        """
        while not lookup.answers:
            if time.monotonic() >= deadline or self.settings.resume == "allow":
                raise CommError(lookup.problem)
            time.sleep(_PAUSE_S)
            lookup = look_up_server(lookup.identity, self.settings, self.environ)
        return lookup

    def _resumed(self, lookup: ServerLookup, deadline: float, fresh_id: str) -> RunStart:
        settings = self.settings
        if not self.meant:
            return RunStart(settings=settings)
        found = self._standing(lookup, settings.run_id or "", None, deadline)
        if settings.resume == "auto" and not self.named and found["state"] == "finished":
            return RunStart(settings=settings.model_copy(update={"run_id": fresh_id}))
        if not found["exists"]:
            if settings.resume == "must":
                raise UsageError(
                    f'resume="must", but there is no run {settings.run_id} in project {settings.project}: '
                    'check the id, or use resume="allow"'
                )
            return RunStart(settings=settings)
        if settings.resume == "never":
            raise UsageError(
                f'resume="never", but there is a run {settings.run_id} in project {settings.project} already: '
                'use another id, or resume="allow"'
            )
        last = found["last_step"]
        return self._going_on(found, step=0 if last is None else last + 1)

    def _rewound(self, lookup: ServerLookup, moment: BranchPoint, deadline: float) -> RunStart:
        found = self._at(lookup, moment, deadline)
        folds = dict(found["folds"] or {}) or None
        if folds is not None:
            version, *_ = folds["keys"]
            folds |= {"keys": [version, [], [], None], "last_step": moment.step}
        return self._going_on(found, step=moment.step + 1, folds=folds, **self._branch(found, moment))

    def _forked(self, lookup: ServerLookup, moment: BranchPoint, deadline: float) -> RunStart:
        settings = self.settings
        found = self._at(lookup, moment, deadline)
        if self.named and self._is_primary and self._standing(lookup, settings.run_id or "", None, deadline)["exists"]:
            raise UsageError(f"fork_from makes a new run, but there is a run {settings.run_id} already: use another id")
        return RunStart(settings=settings, step=moment.step + 1, **self._branch(found, moment))

    @property
    def _is_primary(self) -> bool:
        return self.role is Role.PRIMARY

    def _branch(self, found: dict[str, Any], moment: BranchPoint) -> dict[str, Any]:
        """Return what is said of the branch, by the primary process alone: said again it would hide what came since."""
        return {"branch": moment, "values": found["values"]} if self._is_primary else {}

    def _at(self, lookup: ServerLookup, moment: BranchPoint, deadline: float) -> dict[str, Any]:
        found = self._standing(lookup, moment.run_id, moment.step, deadline)
        if not found["exists"]:
            raise UsageError(f"there is no run {moment.run_id} in project {self.settings.project} to go on from")
        last = found["last_step"]
        if last is None or moment.step > last:
            has = "no rows" if last is None else f"rows up to step {last} only"
            raise UsageError(f"run {moment.run_id} cannot go on from step {moment.step}: it has {has}")
        return found

    def _going_on(self, found: dict[str, Any], **start: Any) -> RunStart:
        attributes = found["attributes"]
        kept = {
            name: tuple(value) if isinstance(value, list) else value
            for name, attribute in _KEPT.items()
            if not getattr(self.settings, name) and (value := attributes.get(attribute))
        }
        return RunStart(
            settings=self.settings.model_copy(update={"allow_val_change": True, **kept}),
            resumed=True,
            continues=continued_writers(found["writers"], self.role, self.label),
            config=found["config"],
            attributes=attributes,
            metrics=found["metrics"],
            **{"folds": found["folds"], **start},
        )

    def _standing(self, lookup: ServerLookup, run_id: str, step: int | None, deadline: float) -> dict[str, Any]:
        """Ask until the server has read everything and all that ended writers counted has arrived, or time is up.

        Raises:
            CommError: No answer came in time.
        """
        if lookup.server is None or lookup.identity.entity is None:
            raise CommError(lookup.problem)
        run = RunPath(entity=lookup.identity.entity, project=lookup.identity.project, run_id=run_id)
        found: dict[str, Any] | None = None
        problem = ""
        while True:
            left = max(deadline - time.monotonic(), _PAUSE_S)
            try:
                found = fetch_resume_state(lookup.server, run, step=step, wait_s=min(left, 5.0), timeout=left + 1)
                if not found["on_their_way"]:
                    return found
            except CommError as error:
                problem = str(error)
            if time.monotonic() + _PAUSE_S >= deadline:
                break
            time.sleep(_PAUSE_S)
        if found is None:
            raise CommError(problem)
        self.terminal.warn(f"{found['on_their_way']} records of run {run_id} have not arrived yet; it goes on without")
        return found

    def _unanswered(self, problem: str) -> CommError:
        settings = self.settings
        wanted = "fork_from" if settings.fork_from else "resume_from" if settings.resume_from else "resume"
        return CommError(
            f"{wanted}={getattr(settings, wanted)!r} needs an answer of the server, and none came within "
            f"{settings.init_timeout:g} s ({problem}): start one with `runstream up` or set RUNSTREAM_URL, give "
            'it more time with the setting init_timeout, or use resume="allow", which goes on without'
        )


def _latest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / _LATEST).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
