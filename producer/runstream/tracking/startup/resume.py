"""Resuming and forking runs: ``init(resume=...)``, ``resume_from`` and ``fork_from``."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.exceptions import CommError, UsageError
from runstream.run_folder.descriptions import continued_writers
from runstream.run_folder.json_files import read_json, write_json
from runstream.server.endpoints import fetch_resume_state
from runstream.tracking.run.start import BranchPoint, RunStart
from runstream.tracking.startup.server_lookup import deleted_error, look_up_server
from runstream_schemas.events import Role
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.settings import Settings
    from runstream.terminal.terminal import Terminal
    from runstream.tracking.startup.server_lookup import ServerLookup

#: File in the folder ``runstream``: the latest run that began there with ``resume="auto"``.
_LATEST = "latest-run.json"
_BRANCH_POINT = re.compile(r"([^?]+)\?_step=(\d{1,18})")
#: Seconds between two requests to a server that is not ready.
_PAUSE_S = 0.2
#: Attributes that a resumed run keeps if ``init()`` does not set them, by the name of their setting.
_KEPT = {
    "run_name": "name",
    "run_notes": "notes",
    "run_tags": "tags",
    "run_group": "group",
    "run_job_type": "job_type",
    "sweep_id": "sweep_id",
}


def plan_resume(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the id of the run that ``resume`` or ``resume_from`` names, if they name one.

    Raises ValueError if they exclude each other or have another form, UsageError for ``resume="must"`` without an id.
    """
    if sum(given is not None for given in (settings.resume, settings.resume_from, settings.fork_from)) > 1:
        raise ValueError("resume, resume_from and fork_from exclude each other: pass only one of them")
    if settings.fork_from is not None and parse_branch_point("fork_from", settings.fork_from).run_id == settings.run_id:
        raise ValueError(
            f"Invalid fork_from={settings.fork_from!r}: a run cannot fork itself; use resume_from to rewind it"
        )
    if settings.resume_from is not None:
        point = parse_branch_point("resume_from", settings.resume_from)
        if settings.run_id not in {None, point.run_id}:
            raise ValueError(f"Invalid id={settings.run_id!r}: resume_from={settings.resume_from!r} names another run")
        return settings.model_copy(update={"run_id": point.run_id})
    if settings.mode in {"offline", "disabled"}:
        return settings
    if settings.resume == "must" and settings.run_id is None:
        raise UsageError('Missing id: resume="must" needs the id of the run to resume, init(id=..., resume="must")')
    if settings.resume == "auto" and settings.run_id is None:
        latest = _latest(folder)
        if latest.get("project") == settings.project and latest.get("entity") == settings.entity:
            return settings.model_copy(update={"run_id": latest.get("run_id")})
    return settings


def parse_branch_point(name: str, text: str) -> BranchPoint:
    """Return the run and the step of ``ID?_step=N``; raises ValueError if the text has another form."""
    if (found := _BRANCH_POINT.fullmatch(text)) is None:
        raise ValueError(f"Invalid {name}={text!r}: expected 'ID?_step=N' with the id of a run and one of its steps")
    return BranchPoint(found.group(1), int(found.group(2)))


def save_latest_run(folder: Path, settings: Settings) -> None:
    """Save the run that begins, for the next ``resume="auto"``; does nothing if the file cannot be written."""
    latest = {"run_id": settings.run_id, "entity": settings.entity, "project": settings.project}
    with contextlib.suppress(OSError):
        write_json(folder / _LATEST, latest)


@dataclass(frozen=True, slots=True)
class ResumeResolver:
    """Resolves where a run begins."""

    settings: Settings
    environ: Mapping[str, str]
    role: Role
    label: str
    terminal: Terminal
    #: Whether ``init()`` or the environment set the id.
    named: bool
    #: Whether a run with the id may exist: the id was set, or is that of the latest run.
    meant: bool

    def start(self, lookup: ServerLookup, fresh_id: str) -> tuple[ServerLookup, RunStart]:
        """Return where the run begins, and the server that answered; a new run after a finished one has ``fresh_id``.

        Raises UsageError if a run to resume does not exist or one exists that must not, and CommError without an answer
        that is needed.
        """
        settings = self.settings
        wanted = settings.resume or settings.resume_from or settings.fork_from
        if wanted is None or (settings.resume == "allow" and not self.meant):
            return lookup, RunStart(settings=settings)
        if settings.mode == "offline":
            self.terminal.warn(f"An offline run cannot resume or fork ({wanted!r}): it starts at step 0")
            return lookup, RunStart(settings=settings)
        deadline = time.monotonic() + settings.init_timeout
        lookup = self._reach(lookup, deadline)
        try:
            lookup.check()
            if settings.fork_from is not None:
                return lookup, self._forked(lookup, parse_branch_point("fork_from", settings.fork_from), deadline)
            if settings.resume_from is not None:
                return lookup, self._rewound(lookup, parse_branch_point("resume_from", settings.resume_from), deadline)
            return lookup, self._resumed(lookup, deadline, fresh_id)
        except CommError as error:
            if settings.resume == "allow":
                self.terminal.warn(
                    f"The last step of run {settings.run_id} is not known ({error}): steps are counted from 0 here, "
                    "and continue after the last step once the run is delivered"
                )
                return lookup, RunStart(settings=settings, relative=True)
            raise self._unanswered(str(error), refused=lookup.refused) from error

    def _reach(self, lookup: ServerLookup, deadline: float) -> ServerLookup:
        """Wait until the server answers or the deadline; not if the run can begin without an answer, or it refuses."""
        while not (lookup.answers or lookup.refused or self.settings.resume == "allow"):
            if time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE_S)
            lookup = look_up_server(lookup.identity, self.settings, self.environ)
        return lookup

    def _resumed(self, lookup: ServerLookup, deadline: float, fresh_id: str) -> RunStart:
        settings = self.settings
        if not self.meant:
            return RunStart(settings=settings)
        found = self._fetch_state(lookup, settings.run_id or "", None, deadline)
        if settings.resume == "auto" and not self.named and found["state"] == "finished":
            return RunStart(settings=settings.model_copy(update={"run_id": fresh_id}))
        if found.get("deleted"):
            raise deleted_error(settings.run_id or "", settings.project)
        if not found["exists"]:
            if settings.resume == "must":
                raise UsageError(
                    f"Cannot resume run {settings.run_id}: it does not exist in project {settings.project}; "
                    'check the id, or use resume="allow"'
                )
            return RunStart(settings=settings)
        if settings.resume == "never":
            raise UsageError(
                f'Cannot begin run {settings.run_id} with resume="never": it exists in project {settings.project}; '
                'use another id, or resume="allow"'
            )
        last = found["last_step"]
        return self._continued(found, step=0 if last is None else last + 1)

    def _rewound(self, lookup: ServerLookup, point: BranchPoint, deadline: float) -> RunStart:
        found = self._at(lookup, point, deadline)
        folds = dict(found["folds"] or {}) or None
        if folds is not None:
            version, *_ = folds["keys"]
            folds |= {"keys": [version, [], [], None], "last_step": point.step}
        return self._continued(found, step=point.step + 1, folds=folds, **self._branch(found, point))

    def _forked(self, lookup: ServerLookup, point: BranchPoint, deadline: float) -> RunStart:
        settings = self.settings
        found = self._at(lookup, point, deadline)
        chosen = self.named and self.role is Role.PRIMARY
        if chosen and self._fetch_state(lookup, settings.run_id or "", None, deadline)["exists"]:
            raise UsageError(f"Cannot fork to run {settings.run_id}: it exists already; use another id")
        return RunStart(settings=settings, step=point.step + 1, **self._branch(found, point))

    def _branch(self, found: dict[str, Any], point: BranchPoint) -> dict[str, Any]:
        """Return what the primary records of the branch; from other writers it would hide the rows logged since."""
        return {"branch": point, "values": found["values"]} if self.role is Role.PRIMARY else {}

    def _at(self, lookup: ServerLookup, point: BranchPoint, deadline: float) -> dict[str, Any]:
        found = self._fetch_state(lookup, point.run_id, point.step, deadline)
        if not found["exists"]:
            raise UsageError(
                f"Cannot continue from run {point.run_id}: it does not exist in project {self.settings.project}"
            )
        last = found["last_step"]
        if last is None or point.step > last:
            has = "has no rows" if last is None else f"ends at step {last}"
            raise UsageError(f"Cannot continue from step {point.step} of run {point.run_id}: it {has}")
        return found

    def _continued(self, found: dict[str, Any], **start: Any) -> RunStart:
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

    def _fetch_state(self, lookup: ServerLookup, run_id: str, step: int | None, deadline: float) -> dict[str, Any]:
        """Ask until all records of ended writers have arrived, or until the deadline; raises CommError."""
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
        self.terminal.warn(
            f"{found['on_their_way']} records of run {run_id} have not arrived yet; it is resumed without them"
        )
        return found

    def _unanswered(self, problem: str, *, refused: bool) -> CommError:
        settings = self.settings
        wanted = "fork_from" if settings.fork_from else "resume_from" if settings.resume_from else "resume"
        within = "" if refused else f" within {settings.init_timeout:g} s (the setting init_timeout)"
        return CommError(
            f"{wanted}={getattr(settings, wanted)!r} needs an answer of the server{within}: {problem}. "
            'resume="allow" works without an answer'
        )


def _latest(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError):
        return read_json(folder / _LATEST) or {}
    return {}
