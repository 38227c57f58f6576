"""Beginning a run: the one place where its parts are put together."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.discovery import Connection, connect, find_server, recall, remember
from runstream.exceptions import CommError, UsageError
from runstream.settings import Settings, from_files, resolve
from runstream.tracking.backing import Backing
from runstream.tracking.closing import Closing
from runstream.tracking.config import as_config, config_entry
from runstream.tracking.folder import RunFolder
from runstream.tracking.identity import Identity, label_of, role_of
from runstream.tracking.metadata import metadata, program
from runstream.tracking.naming import checked_name, random_id, random_name
from runstream.tracking.recorder import DisabledRecorder
from runstream.tracking.run import Run
from runstream.tracking.session import SESSION
from runstream.tracking.terminal import Terminal
from runstream.tracking.tracker import Tracker
from runstream_schemas.events import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runstream.tracking.recorder import ConfigEntry


def init(  # noqa: PLR0917 - the signature of W&B
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - the name W&B gave it
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | str | None = None,
    config: Any = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
) -> Run:
    """Begin a run, and make it the active one of this process. Needs no network, and takes under a second without.

    While a run is active it is returned again, with a warning.

    Args:
        entity: Account or team; None: as the server says.
        project: Project; by default ``uncategorized``.
        dir: Folder in which the folder ``runstream`` is made; by default the current one.
        id: Identifier of the run; by default 8 random letters and digits. Several processes may write to one id.
        name: Display name; by default two random words and a number.
        notes: Notes on the run.
        tags: Tags of the run.
        config: Hyperparameters: a dict, or an object such as an ``argparse.Namespace``.
        group: Name of a group of runs.
        job_type: What kind of run it is within its group.
        mode: ``online``; ``offline``: delivered later by ``runstream sync``; ``disabled``: nothing is recorded;
            ``shared``: one of several processes that write to one run.
        settings: Further settings, see :class:`Settings`; the arguments above go before them.

    Raises:
        UsageError: An argument or a setting makes no sense.
        DataError: The config has a key that cannot be recorded.
    """
    if (active := SESSION.own) is not None:
        Terminal(silent=active.settings.silent).line(
            f"WARNING run {active.id} is active, and init() returns it; call runstream.finish() first to begin another"
        )
        return active
    environ = os.environ
    arguments = {
        "entity": entity,
        "project": project,
        "root_dir": dir,
        "run_id": id,
        "run_name": name,
        "run_notes": notes,
        "run_tags": tags,
        "run_group": group,
        "run_job_type": job_type,
        "mode": mode,
    }
    found = resolve(_given(settings) | _without_none(arguments), environ, from_files(environ, Path.cwd()))
    run = _begin(_checked(found), as_config(config), environ)
    SESSION.begin(run)
    return run


def _begin(settings: Settings, config: Mapping[str, Any], environ: Mapping[str, str]) -> Run:
    terminal = Terminal(silent=settings.silent, quiet=settings.quiet)
    identity = Identity(
        entity=settings.entity,
        project=settings.project,
        run_id=settings.run_id or random_id(),
        name=settings.run_name or random_name(),
    )
    if settings.mode == "disabled":
        return _disabled(settings, identity, config)
    if settings.api_key is not None:
        environ = {**environ, "RUNSTREAM_API_KEY": settings.api_key}
    identity, problem = (identity, "") if settings.mode == "offline" else _meet(identity, settings, environ)
    try:
        folder = _new_folder(settings, identity, environ)
    except OSError as error:
        terminal.warn(f"no folder for the run can be made ({error}): this run is not tracked")
        return _disabled(settings.model_copy(update={"mode": "disabled"}), identity, config)
    started = time.time()
    tracker = Tracker(
        folder,
        settings,
        role=role_of(settings, environ),
        label=label_of(settings, environ),
        terminal=terminal,
        closing=Closing(folder, identity, settings, terminal),
        first=_first_record(settings, identity, config, environ, started),
        environ=environ,
    )
    run = Run(settings.model_copy(update={"run_id": identity.run_id}), dict(config))
    run._begin(  # noqa: SLF001 - this module makes runs
        Backing(
            recorder=tracker,
            identity=identity,
            terminal=terminal,
            folder=os.fspath(folder.files),
            started=started,
            ended=SESSION.end,
        )
    )
    _announce(terminal, settings, identity, folder, problem)
    tracker.start()
    return run


def _disabled(settings: Settings, identity: Identity, config: Mapping[str, Any]) -> Run:
    run = Run(settings.model_copy(update={"run_id": identity.run_id}), dict(config))
    run._begin(  # noqa: SLF001
        Backing(
            recorder=DisabledRecorder(),
            identity=identity,
            terminal=Terminal(silent=settings.silent, quiet=settings.quiet),
            folder="",
            started=time.time(),
            ended=SESSION.end,
        )
    )
    return run


def _meet(identity: Identity, settings: Settings, environ: Mapping[str, str]) -> tuple[Identity, str]:
    """Return the run's names as the server completes them, and what was wrong with the server, if anything."""
    server = find_server(environ, settings.base_url)
    if server is None:
        return identity, "no server is known (start one with `runstream up`, or set RUNSTREAM_URL)"
    connection: Connection | None
    try:
        connection, problem = connect(server, settings.connect_timeout_s), ""
        remember(server, connection, environ)
    except CommError as error:
        connection, problem = recall(server, environ), str(error)
    if connection is None:
        return identity, problem
    completed = Identity(
        entity=identity.entity or connection.entity,
        project=identity.project,
        run_id=identity.run_id,
        name=identity.name,
        server_url=connection.url or server.url,
    )
    return completed, problem


def _new_folder(settings: Settings, identity: Identity, environ: Mapping[str, str]) -> RunFolder:
    """Make the run folder; where that cannot be done, one in the folder for temporary files.

    Raises:
        OSError: Neither can be made.
    """
    description = {
        "entity": settings.entity,
        "project": identity.project,
        "mode": settings.mode,
        "name": identity.name,
        "program": program(),
        "label": label_of(settings, environ),
        "settings": {
            "capture_system_metrics": not settings.x_disable_stats,
            "system_interval_s": settings.x_stats_sampling_interval,
            "disk": settings.disk,
            "identify_exit_signal": settings.identify_exit_signal,
            "update_finish_state": settings.x_update_finish_state,
        },
        "url": settings.base_url or environ.get("RUNSTREAM_URL") or None,
    }
    root = settings.root_dir or Path.cwd()
    try:
        return RunFolder.create(root, identity.run_id, description)
    except OSError:
        return RunFolder.create(Path(tempfile.gettempdir()), identity.run_id, description)


def _first_record(
    settings: Settings, identity: Identity, config: Mapping[str, Any], environ: Mapping[str, str], started: float
) -> list[ConfigEntry]:
    attributes = {
        "name": identity.name,
        "notes": settings.run_notes,
        "tags": list(settings.run_tags),
        "group": settings.run_group,
        "job_type": settings.run_job_type,
        "sweep_id": settings.sweep_id,
        "start_time": started,
        "label": label_of(settings, environ),
    }
    return [
        *(
            config_entry(key, value, Scope.ATTRIBUTE)
            for key, value in attributes.items()
            if value not in (None, [], "")
        ),
        *(config_entry(key, value, Scope.METADATA) for key, value in metadata().items()),
        *(config_entry(key, value) for key, value in config.items()),
    ]


def _announce(terminal: Terminal, settings: Settings, identity: Identity, folder: RunFolder, problem: str) -> None:
    if settings.mode == "offline":
        path = os.path.relpath(folder.path)
        terminal.detail(f"Recording run {identity.name} offline; to deliver it: runstream sync {path}")
        return
    terminal.detail(f"Syncing run {identity.name}")
    if problem:
        terminal.line(f"{problem}; recording to {os.path.relpath(folder.path)}, delivered as soon as a server answers")
    elif identity.url is not None:
        terminal.detail(f"⭐️ View project at {identity.project_url}")
        terminal.line(f"🚀 View run at {identity.url}")


def _given(settings: Settings | Mapping[str, Any] | None) -> dict[str, Any]:
    if settings is None:
        return {}
    if isinstance(settings, Settings):
        return settings.model_dump(exclude_unset=True)
    found = dict(settings)
    for name in sorted(set(found) - set(Settings.model_fields)):
        sys.stderr.write(f"runstream: WARNING there is no setting {name!r}; it is left out\n")
    return found


def _without_none(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _checked(settings: Settings) -> Settings:
    if settings.entity is not None:
        checked_name("entity", settings.entity)
    checked_name("project", settings.project)
    if settings.run_id is not None:
        checked_name("run id", settings.run_id)
    if settings.mode == "shared" and settings.run_id is None:
        raise UsageError('mode="shared" needs the id that all processes of the run share: init(id=...)')
    return settings
