"""What the methods of a run do with artifacts: records in its spool, and requests to its server."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.recording import PendingVersion, RunArtifacts
from runstream.artifacts.stored_version import StoredVersion, VersionPath
from runstream.artifacts.ttl import to_seconds
from runstream.exceptions import CommError, Error
from runstream.run_folder.folder import RunFolder
from runstream.server.discovery import resolve_server
from runstream.server.messages import NO_SERVER
from runstream.settings import server_environ
from runstream.terminal.upload_progress import UploadProgress
from runstream_schemas.stored.artifact_names import LATEST
from runstream_schemas.topics import canonical_project
from runstream_schemas.values import dump

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.server.api_connection import ApiConnection
    from runstream.terminal.terminal import Terminal
    from runstream_schemas.stored.artifact_names import Reference

_TIMEOUT_S = 30.0


class DisabledArtifact(Artifact):
    """The artifact of a disabled run: it has no version, and its folder is empty, but a program can go on with it."""

    @classmethod
    def standing_for(cls, given: Any, kind: str | None) -> Artifact:
        """Return an artifact of the program itself, or else one that stands for a path or a name."""
        return given if isinstance(given, Artifact) else cls("disabled", kind or "")

    def wait(self, timeout: float | None = None) -> Self:
        """Return this artifact."""
        del timeout
        return self

    def download(self, root: str | os.PathLike[str] | None = None, *_: Any, **__: Any) -> str:
        """Return a folder, which is created if it does not exist."""
        folder = Path("artifacts/disabled" if root is None else root)
        folder.mkdir(parents=True, exist_ok=True)
        return os.fspath(folder)


class WaitingLine:
    """Shows on a terminal what is left of the uploads while a program waits for an artifact."""

    def __init__(self, terminal: Terminal, folder: Path, name: str) -> None:
        self._terminal, self._folder, self._name = terminal, folder, name
        self._uploads = UploadProgress()
        self._next_s = 1.0

    def __call__(self, waited_s: float | None) -> None:
        """Note the seconds so far, or with None the end."""
        if waited_s is None:
            self._terminal.end_progress()
            self._next_s = 1.0
        elif waited_s >= self._next_s and self._terminal.replaces_lines:
            self._next_s = waited_s + 0.2
            left = self._uploads.text(*RunFolder.open(self._folder).uploads_left)
            self._terminal.progress(f"Waiting for artifact {self._name}{left and ': '}{left}")


def artifact_of(path: str, name: str, kind: str) -> Artifact:
    """Return an artifact with a file, with the files of a folder, or with a reference; raises ValueError or OSError."""
    artifact = Artifact(name, kind)
    if os.path.isfile(path):  # noqa: PTH113 - a text
        artifact.add_file(path)
    elif os.path.isdir(path):  # noqa: PTH112
        artifact.add_dir(path)
    elif "://" in path:
        artifact.add_reference(path)
    else:
        raise ValueError(f"Invalid path {path!r}: expected a file, a directory or a URI such as s3://bucket/path")
    return artifact


def record_version(run: Any, artifact: Artifact, more: Mapping[str, Any]) -> None:
    """Record that a run logs an artifact, or contributes to one; raises OSError, UsageError or ValueError."""
    _check_place(run, artifact)
    recorder, encoder = run._backend.recorder, run._backend.encoder  # noqa: SLF001 - methods of the run
    folder = Path(run._backend.folder).parent  # noqa: SLF001
    artifact.distributed_id = more.get("distributed_id")
    record = {
        "action": "log" if artifact.distributed_id is None else "upsert",
        "name": artifact.name.partition(":")[0],
        "type": artifact.type,
        "metadata": dump(encoder.value(artifact.metadata)) if artifact.metadata else None,
        "description": artifact.description,
        "ttl_s": to_seconds(artifact.recorded_ttl),
        "incremental": artifact.incremental or None,
        "use_as": artifact.use_as,
        "finalize": True,
        **more,
    }
    local = RunArtifacts(folder, recorder.record_artifact).log(artifact.manifest, record)
    pending = PendingVersion(
        run_folder=folder,
        local=local,
        name=artifact.name,
        offline=run.offline,
        keep_delivering=recorder.check,
        progress=WaitingLine(run._backend.terminal, folder, artifact.name),  # noqa: SLF001
    )
    artifact.logged_as(pending, lambda: connection(run))


def _check_place(run: Any, artifact: Artifact) -> None:
    """Raise ValueError for a version, or a draft of one, of another project: versions stay in their collection."""
    if (source := artifact.source_place) is None:
        return
    place = (run.entity or source[0], canonical_project(run._names.project))  # noqa: SLF001
    if source != place:
        raise ValueError(
            f"Cannot log artifact {artifact.name!r} of {'/'.join(source)} to {'/'.join(place)}: link it with "
            "run.link_artifact(), record its use with run.use_artifact(), or add its files to a new Artifact"
        )


def record_use(run: Any, artifact: Artifact, use_as: str | None) -> None:
    """Record that a run uses a stored version."""
    source = dict(_names_of(artifact), action="use", type=artifact.type, use_as=use_as or artifact.use_as)
    _record(run, source)


def record_link(run: Any, artifact: Artifact, target: Reference, aliases: list[str]) -> None:
    """Record a link to a version: one that this run logs, or a stored one."""
    folder = Path(run._backend.folder).parent  # noqa: SLF001
    pending = artifact.pending
    if artifact.is_draft() and pending is not None and pending.run_folder == folder:
        source: dict[str, Any] = {"name": artifact.name, "local": pending.local}
    else:
        source = _names_of(artifact.wait())
    path = "/".join(filter(None, (target.entity, target.project, target.name)))
    _record(run, {**source, "action": "link", "type": artifact.type, "target": path, "aliases": aliases})


def _names_of(artifact: Artifact) -> dict[str, Any]:
    return {
        "artifact_entity": artifact.entity,
        "artifact_project": artifact.project,
        "name": artifact.name.partition(":")[0],
        "version": int(artifact.version.removeprefix("v")),
    }


def _record(run: Any, record: Mapping[str, Any]) -> None:
    backend = run._backend  # noqa: SLF001
    RunArtifacts(Path(backend.folder).parent, backend.recorder.record_artifact).record(record)


def named_artifact(run: Any, name: Reference) -> Artifact:
    """Return the artifact with a name, by default of the run's project; raises NotFoundError or CommError."""
    server = connection(run)
    entity = name.entity or run.entity or str(server.get("/viewer")["entity"])
    found = replace(name, entity=entity, project=name.project or run._names.project)  # noqa: SLF001
    return Artifact.of_version(StoredVersion.read(server, VersionPath.of_reference(found)))


def registered_type(run: Any, name: str) -> str | None:
    """Return the type of the artifact with a name in the project of a run; None if that is not known now."""
    if run.offline or run.disabled or not run.entity:
        return None
    path = VersionPath(entity=run.entity, project=run._names.project, name=name, version=LATEST)  # noqa: SLF001
    try:
        return str(StoredVersion.read(connection(run), path).document["type"])
    except Error:
        return None


def connection(run: Any) -> ApiConnection:
    """Return a connection to the server of a run; raises CommError without one."""
    from runstream.server.api_connection import ApiConnection  # noqa: PLC0415 - imports httpx

    settings = run._settings  # noqa: SLF001
    if (server := resolve_server(server_environ(os.environ, settings), settings.base_url)) is None:
        raise CommError(NO_SERVER)
    return ApiConnection(server, timeout=_TIMEOUT_S)
