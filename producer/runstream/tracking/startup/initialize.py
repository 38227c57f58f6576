"""``init()``: the one place where the parts of a run are put together."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError
from runstream.files.active_pool import ACTIVE_POOL
from runstream.files.run_files import RunFiles
from runstream.files.table_versions import TableVersions
from runstream.run_folder.descriptions import RunInfo
from runstream.run_names import DisplayName, generate_run_id, generated_name, validate_name
from runstream.server.discovery import check_url
from runstream.settings import Settings, resolve, server_environ
from runstream.tensorboard.summary_writers import SUMMARY_WRITERS
from runstream.terminal.terminal import Terminal, is_notebook
from runstream.tracking.config.conversion import ConfigSources, select_keys, to_config
from runstream.tracking.lifecycle.final_report import FinalReport, shown_path
from runstream.tracking.run.backend import RunBackend
from runstream.tracking.run.identity import RunIdentity
from runstream.tracking.run.recorder import DisabledRecorder
from runstream.tracking.run.run import Run
from runstream.tracking.run.session import SESSION, revive_run
from runstream.tracking.run.spool_recorder import SpoolRecorder
from runstream.tracking.startup import own_files
from runstream.tracking.startup.provenance import provenance
from runstream.tracking.startup.recording_place import current_folder, record_in_new_folder, temporary_folder
from runstream.tracking.startup.resume import ResumeResolver, plan_resume, save_latest_run
from runstream.tracking.startup.server_lookup import LateIdentity, ServerLookup, look_up_server, request_number
from runstream.tracking.startup.writer_identity import metadata, metadata_entries, program, writer_label, writer_role
from runstream.tracking.values.charts import RunCharts
from runstream.tracking.values.encoder import ValueEncoder
from runstream.tracking.values.entries import config_entry
from runstream.tracking.values.foreign import elements_of, items_of, shown, text_of
from runstream.tracking.values.texts import encodable
from runstream_schemas.events import Role, Scope
from runstream_schemas.topics import canonical_project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runstream.run_folder.folder import RunFolder
    from runstream.tracking.config.config import Config
    from runstream.tracking.values.entries import ConfigEntry


#: Settings that are paths, which may have any bytes, or names, of which invalid ones are refused.
_UNCHANGED = frozenset({"root_dir", "entity", "project", "run_id", "config_paths", "launch_config_path"})


def init(  # noqa: PLR0917 - the signature of W&B
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - the name W&B gave it
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | str | None = None,
    config: Any = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,  # noqa: FBT001
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,  # noqa: FBT001
    anonymous: str | None = None,
    reinit: str | bool | None = None,  # noqa: FBT001
    resume: str | bool | None = None,  # noqa: FBT001
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,  # noqa: FBT001
    tensorboard: bool | None = None,  # noqa: FBT001
    sync_tensorboard: bool | None = None,  # noqa: FBT001
    monitor_gym: bool | None = None,  # noqa: FBT001
    settings: Settings | Mapping[str, Any] | None = None,
    magic: Any = None,
) -> Run:
    """Begin a run, and make it the active run of this process. Works without a network, in less than a second.

    If a run is active it is returned, with a warning; in a notebook it is finished first. ``reinit`` changes that.

    Args:
        entity: Account or team; None for the server's default.
        project: Project, by default ``Uncategorized``. It is created if it does not exist.
        dir: Parent of the folder ``runstream``, by default the current folder.
        id: Identifier of the run, by default 8 random letters and digits. Several processes can write to one run.
        name: Display name, by default two words and a number from the server.
        notes: Notes on the run.
        tags: Tags of the run; a string is one tag.
        config: Hyperparameters: a dict, the path of a YAML or JSON file, a dataclass or pydantic object, absl's flags,
            or an object such as an ``argparse.Namespace``. Overrides ``config-defaults.yaml`` of the current folder,
            and is overridden by the config of a launcher or a sweep.
        config_exclude_keys: Keys of ``config`` to leave out.
        config_include_keys: Keys of ``config`` to use; others are left out.
        allow_val_change: Whether config values may be changed later; by default only in a notebook.
        group: Group of the run.
        job_type: Kind of run within its group.
        mode: ``online``; ``offline`` for delivery by ``runstream sync``; ``disabled`` to record nothing; ``shared`` for
            one of several processes that write to one run.
        force: Ignored; accepted for W&B compatibility.
        anonymous: Ignored; accepted for W&B compatibility.
        reinit: What to do with an active run: ``finish_previous`` or True; ``return_previous`` or False, without a
            warning; or ``create_new``, to keep both, with the earlier one as :data:`runstream.run`.
        resume: Whether to resume an earlier run of this id, see :class:`Settings`; True is ``auto``.
        resume_from: ``ID?_step=N``: resume a run after a step.
        fork_from: ``ID?_step=N``: start a new run with the rows of another up to a step.
        save_code: Save the file of the program, as ``code/NAME``.
        tensorboard: Deprecated name of ``sync_tensorboard``.
        sync_tensorboard: Log what is written to TensorBoard event files.
        monitor_gym: Ignored; accepted for W&B compatibility.
        settings: Further settings, see :class:`Settings`; the arguments above take precedence.
        magic: Ignored; accepted for W&B compatibility.

    Raises:
        UsageError: An argument is invalid; or a run or step to resume does not exist, or a run exists that must not.
        CommError: The server did not answer in time, and ``resume``, ``resume_from`` or ``fork_from`` needs an answer.
        ValueError: A value is not valid for its setting.
        ConfigError: A config file cannot be read.
        DataError: The config has an invalid key.
        TypeError: The config is not in a form with keys and values.
    """
    arguments = {
        # Scripts pass an empty string from an environment variable that is not set.
        "entity": None if isinstance(entity, str) and not entity else entity,
        "project": None if isinstance(project, str) and not project else project,
        "root_dir": dir,
        "run_id": id,
        "run_name": name,
        "run_notes": notes,
        "run_tags": tags,
        "allow_val_change": allow_val_change,
        "run_group": group,
        "run_job_type": job_type,
        "mode": mode,
        "reinit": reinit,
        "resume": resume,
        "resume_from": resume_from,
        "fork_from": fork_from,
        "save_code": save_code,
        "sync_tensorboard": sync_tensorboard if sync_tensorboard is not None else tensorboard,
    }
    environ = os.environ
    given = {**_given(settings), **{name: value for name, value in arguments.items() if value is not None}}
    found = resolve({name: _plain_setting(name, value) for name, value in given.items()})
    if is_notebook():
        found = _in_a_notebook(found)
    terminal = Terminal(silent=found.silent, quiet=found.quiet)
    ignored = {"force": force, "anonymous": anonymous, "monitor_gym": monitor_gym, "magic": magic}
    _warn_of_the_ignored(terminal, ignored)
    if (active := SESSION.resolve_active(found.reinit, found.resume, terminal.warn)) is not None:
        return active
    checked = _checked(found)
    encoder = ValueEncoder(warn=terminal.warn, strict=found.strict)
    chosen_config = select_keys(to_config(config, encoder), config_include_keys, config_exclude_keys)
    _warn_of_chosen_keys(terminal, include=config_include_keys, exclude=config_exclude_keys)
    run = _begin(checked, ConfigSources.of(checked, chosen_config, current_folder()), environ, terminal)
    SESSION.begin(run, aside=checked.reinit == "create_new")
    if not run.disabled:
        SUMMARY_WRITERS.begin(run.dir, sync=checked.sync_tensorboard, warn=terminal.warn)
    return run


def _begin(settings: Settings, configs: ConfigSources, environ: Mapping[str, str], terminal: Terminal) -> Run:
    named = settings.run_id is not None
    settings = plan_resume(settings, (settings.root_dir or current_folder()) / "runstream")
    meant = settings.run_id is not None
    run_id = settings.run_id or generate_run_id()
    name = DisplayName(settings.run_name, generated_name(run_id))
    identity = RunIdentity(
        entity=settings.entity, project=canonical_project(settings.project), run_id=run_id, name=str(name)
    )
    settings = settings.model_copy(update={"run_id": run_id})
    if settings.mode == "disabled":
        return _disabled(Run(settings, configs.given, configs.sweep, configs.launch), identity, terminal)
    environ = server_environ(environ, settings)
    lookup = ServerLookup(None, identity) if settings.mode == "offline" else look_up_server(identity, settings, environ)
    role, label = writer_role(settings, environ), writer_label(settings, environ)
    lookup, start = ResumeResolver(settings, environ, role, label, terminal, named, meant).start(
        lookup, generate_run_id()
    )
    settings = start.settings
    run = Run(settings, {**start.config, **configs.given}, configs.sweep, configs.launch)
    name = start.name
    identity = replace(lookup.identity, run_id=settings.run_id or run_id)
    if lookup.answers and name.number is None and (meant or not name.given):
        number = request_number(replace(lookup, identity=identity), settings)
        name = name if name.given else replace(name, number=number)
    identity = replace(identity, name=str(name))
    started = time.time()

    def begin(folder: RunFolder) -> tuple[RunFolder, ValueEncoder, RunFiles, SpoolRecorder]:
        files = RunFiles(folder.path)
        charts = RunCharts(lambda entries: recorder.record_config(entries))  # noqa: PLW0108 - made below
        encoder = ValueEncoder(warn=terminal.warn, files=files, charts=charts, strict=settings.strict)
        began = None if start.resumed else started
        entries = _first_record(settings, name, run.config, environ, began, start.config, encoder)
        first, found = own_files.split(entries, started)
        own_files.record(files, found, program() if settings.save_code and role is Role.PRIMARY else "")
        recorder = SpoolRecorder(
            folder,
            settings,
            role=role,
            label=label,
            terminal=terminal,
            final_report=FinalReport(folder, run, settings, terminal),
            first=first,
            environ=environ,
            encoder=encoder,
            continues=start.continues,
            relative=start.relative,
            at_end=lambda: own_files.record(files, own_files.config_file(run.config.as_dict()) if found else {}),
        )
        files.begin(recorder.record_file, TableVersions(identity.run_id, recorder.record_artifact))
        return folder, encoder, files, recorder

    info = _describe(settings, identity, name, environ)
    try:
        folder, encoder, files, recorder = record_in_new_folder(
            settings.root_dir or current_folder(), info, begin, terminal.warn
        )
    except OSError as error:
        terminal.warn(f"Cannot create a run folder ({error}): this run is not recorded")
        disabled = settings.model_copy(update={"mode": "disabled"})
        return _disabled(Run(disabled, run.config.as_dict()), identity, terminal)
    directory = os.fspath(folder.files)
    ACTIVE_POOL.begin(files.pool)
    recorder.continue_from(start)
    if settings.resume == "auto":
        save_latest_run(folder.path.parent, settings)
    run._bind(  # noqa: SLF001 - this module makes runs
        RunBackend(
            recorder=recorder,
            encoder=encoder,
            identity=identity,
            terminal=terminal,
            folder=directory,
            started=started,
            before_end=partial(_before_end, directory, files),
            after_end=partial(SESSION.end, run),
            revive=revive_run,
            refresh=LateIdentity(folder.path, name, lookup.server),
            resumed=start.resumed,
            starting_step=start.step,
        )
    )
    with terminal.block():
        _announce(terminal, settings, identity, folder, lookup, "Resuming" if start.resumed else "Syncing")
    recorder.start()
    return run


def _before_end(directory: str, files: RunFiles) -> None:
    SUMMARY_WRITERS.end(directory)
    ACTIVE_POOL.end(files.pool)


def _disabled(run: Run, identity: RunIdentity, terminal: Terminal) -> Run:
    run._bind(  # noqa: SLF001
        RunBackend(
            recorder=DisabledRecorder(),
            identity=identity,
            terminal=terminal,
            # Libraries write to the folder of a run without checking whether it is disabled.
            folder=temporary_folder(),
            started=time.time(),
            after_end=partial(SESSION.end, run),
            revive=revive_run,
        )
    )
    return run


def _describe(settings: Settings, identity: RunIdentity, name: DisplayName, environ: Mapping[str, str]) -> RunInfo:
    """Return the contents of ``run.json``."""
    return RunInfo(
        run_id=identity.run_id,
        entity=settings.entity,
        project=identity.project,
        mode=settings.mode,
        name=identity.name,
        named=bool(name.given),
        generated_name=name.generated,
        number=name.number,
        program=program(),
        label=writer_label(settings, environ),
        settings={
            "capture_system_metrics": not settings.x_disable_stats,
            "machine_info": not settings.x_disable_machine_info,
            "system_interval_s": settings.x_stats_sampling_interval,
            "disk": settings.disk,
            "identify_exit_signal": settings.identify_exit_signal,
            "update_finish_state": settings.x_update_finish_state,
            "ends_with": settings.x_ends_with,
        },
        url=settings.base_url or environ.get("RUNSTREAM_URL") or None,
    )


def _first_record(  # noqa: PLR0917 - one caller
    settings: Settings,
    name: DisplayName,
    config: Config,
    environ: Mapping[str, str],
    started: float | None,
    known: Mapping[str, Any],
    encoder: ValueEncoder,
) -> list[ConfigEntry]:
    attributes = {
        "name": name.given,
        "generated_name": None if name.given else name.generated,
        "number": name.number,
        "notes": settings.run_notes,
        "tags": list(settings.run_tags),
        "group": settings.run_group,
        "job_type": settings.run_job_type,
        "sweep_id": settings.sweep_id,
        # The run starts with its primary; writers that join later do not change that.
        "start_time": started if writer_role(settings, environ) is Role.PRIMARY else None,
        "label": writer_label(settings, environ),
    }
    return [
        *(
            config_entry(key, encoder.value(value), Scope.ATTRIBUTE)
            for key, value in attributes.items()
            if value not in (None, [], "")
        ),
        *metadata_entries(settings, environ, metadata(settings), partial(provenance, settings, environ, program())),
        *(config_entry(key, config[key]) for key in config if key not in known or known[key] != config[key]),
    ]


def _announce(  # noqa: PLR0917 - one caller
    terminal: Terminal, settings: Settings, identity: RunIdentity, folder: RunFolder, lookup: ServerLookup, doing: str
) -> None:
    if settings.mode == "offline":
        path = shown_path(folder.path)
        terminal.detail(f"Recording run {identity.name} offline; to deliver it: runstream sync {path}")
        return
    terminal.detail(f"{doing} run {identity.name}")
    if lookup.problem:
        path = shown_path(folder.path)
        later = f"once that is corrected: runstream sync {path}"
        later = later if lookup.refused else "delivered as soon as a server answers"
        terminal.line(f"{lookup.problem}; recording to {path}, {later}")
    elif identity.url is not None:
        terminal.line(f"⭐️ View project at {identity.project_url}")
        terminal.line(f"🚀 View run at {identity.url}")


def _given(settings: Settings | Mapping[str, Any] | None) -> dict[str, Any]:
    if isinstance(settings, Settings):
        return settings.model_dump(exclude_unset=True)
    return {} if settings is None else {text_of(name): value for name, value in items_of(settings)}


def _plain_setting(name: str, value: Any) -> Any:
    """Return a setting that is text as valid UTF-8, unless it is a path, and tags of any kind as a list."""
    if isinstance(value, str):
        return value if name in _UNCHANGED else encodable(str.__str__(value))
    if name == "run_tags" and value is not None:
        return [encodable(tag) if isinstance(tag, str) else tag for tag in elements_of(value)]
    return value


def _in_a_notebook(settings: Settings) -> Settings:
    """Return settings for cells that run repeatedly: each ``init()`` begins a run, and config values may change."""
    again = {"reinit": "finish_previous" if settings.reinit == "default" else settings.reinit, "allow_val_change": True}
    kept = {name: getattr(settings, name) for name in settings.model_fields_set & {"allow_val_change"}}
    return settings.model_copy(update=again | kept)


def _warn_of_the_ignored(terminal: Terminal, ignored: Mapping[str, Any]) -> None:
    for name, value in ignored.items():
        if value is not None and value is not False:
            terminal.warn(f"init({name}={shown(value)}) is ignored; it is accepted for W&B compatibility")


def _warn_of_chosen_keys(terminal: Terminal, **keys: Sequence[str] | None) -> None:
    for name, given in keys.items():
        if given:
            terminal.warn(f"init(config_{name}_keys=...) is deprecated, as in W&B; pass a config with these keys only")


def _checked(settings: Settings) -> Settings:
    for what, name in (("entity", settings.entity), ("project", settings.project), ("run id", settings.run_id)):
        if name is not None:
            validate_name(what, name)
    if settings.base_url and settings.mode != "disabled":
        check_url(settings.base_url, "base_url or RUNSTREAM_URL")
    if settings.mode == "shared" and settings.run_id is None:
        raise UsageError('Missing id: mode="shared" needs the id that all processes of the run share, init(id=...)')
    return settings
