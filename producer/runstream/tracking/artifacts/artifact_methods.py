"""Methods of :class:`Run` for artifacts and models, with W&B's signatures; it assigns them to its names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.names import checked_aliases, checked_tags, link_target
from runstream.tracking.artifacts.records import (
    DisabledArtifact,
    artifact_of,
    named_artifact,
    record_link,
    record_use,
    record_version,
    registered_type,
)
from runstream_schemas.stored.artifact_names import (
    MODEL_REGISTRY,
    artifact_name,
    parse_reference,
    problem_of_artifact_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Class = TypeVar("Class")
Contents = Artifact | str | os.PathLike[str]


def log_artifact(  # noqa: PLR0917 - the signature of W&B
    self: Any,
    artifact_or_path: Contents,
    name: str | None = None,
    type: str | None = None,  # noqa: A002
    aliases: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Artifact:
    """Record an artifact as an output of the run; it is uploaded in the background.

    Args:
        artifact_or_path: An :class:`Artifact`; or a file, a folder or a URI such as ``s3://bucket/path``.
        name: For a path: name of the artifact, by default ``run-ID-BASENAME``. ``name:alias`` adds an alias.
        type: For a path: type of the artifact.
        aliases: Aliases of the version; it is ``latest`` in any case.
        tags: Tags of the version.

    Returns:
        The artifact. ``wait()`` returns once it is stored and has a version.

    Raises:
        ValueError: The path leads nowhere, or a name, alias or tag is invalid.
        TypeError: The artifact is neither an Artifact nor a path.
        UsageError: The run is finished.
        OSError: A file cannot be read, or the disk is full.
    """
    return _log(self, artifact_or_path, name, type, aliases, tags=tags)


def upsert_artifact(  # noqa: PLR0917 - the signature of W&B
    self: Any,
    artifact_or_path: Contents,
    name: str | None = None,
    type: str | None = None,  # noqa: A002
    aliases: Sequence[str] | None = None,
    distributed_id: str | None = None,
) -> Artifact:
    """Contribute to an artifact of several processes, which ``finish_artifact()`` finishes; raises as log_artifact().

    Args:
        artifact_or_path: What this process contributes.
        name: As for :meth:`log_artifact`; may be prefixed with ``entity/project/``.
        type: As for :meth:`log_artifact`.
        aliases: As for :meth:`log_artifact`.
        distributed_id: What the processes share; by default the group of the run. Without either, a TypeError.
    """
    shared = _shared_id(self, "upsert", distributed_id)
    return _log(self, artifact_or_path, name, type, aliases, distributed_id=shared, finalize=False)


def finish_artifact(  # noqa: PLR0917 - the signature of W&B
    self: Any,
    artifact_or_path: Contents,
    name: str | None = None,
    type: str | None = None,  # noqa: A002
    aliases: Sequence[str] | None = None,
    distributed_id: str | None = None,
) -> Artifact:
    """Contribute to an artifact of several processes and make a version of all contributions; as upsert_artifact().

    A later contribution begins the next version.
    """
    shared = _shared_id(self, "finish", distributed_id)
    return _log(self, artifact_or_path, name, type, aliases, distributed_id=shared)


def use_artifact(
    self: Any,
    artifact_or_name: Artifact | str,
    type: str | None = None,  # noqa: A002
    aliases: Sequence[str] | None = None,
    use_as: str | None = None,
) -> Artifact:
    """Record an artifact as an input of the run; ``download()`` of what it returns gets the files.

    Args:
        artifact_or_name: ``[entity/][project/]name[:version, alias or digest]``, by default ``latest``; or an artifact.
            One that is not logged is logged first.
        type: The type that it must have.
        aliases: Aliases to add to the version.
        use_as: What it is used as.

    Raises:
        NotFoundError: The server does not know it.
        CommError: The server does not answer.
        ValueError: It has another type, or the name is invalid.
        TypeError: The run is offline.
        UsageError: The run is finished.
    """
    if self.offline:
        raise TypeError("Cannot use an artifact in an offline run: it has no server to find it at")
    self._recorder.record_config([])
    chosen = checked_aliases(aliases)
    if self.disabled:
        return DisabledArtifact.standing_for(artifact_or_name, type)
    if _is(artifact_or_name, str):
        artifact = named_artifact(self, parse_reference(_without_scheme(artifact_or_name)))
    elif _is(artifact_or_name, Artifact):
        artifact = artifact_or_name
    else:
        raise ValueError(
            f"Cannot use a {_kind(artifact_or_name)}: expected the name of an artifact such as 'dataset:v1', or one"
        )
    if type is not None and artifact.type != type:
        raise ValueError(f"Artifact {artifact.name!r} has type {artifact.type!r}, not {type!r}")
    if artifact.is_draft():
        if artifact._pending is None:  # noqa: SLF001 - of a class of ours
            record_version(self, artifact, {"aliases": chosen, "use": True, "use_as": use_as})
            return artifact.wait()
        artifact.wait()
    record_use(self, artifact, use_as)
    if added := [alias for alias in chosen if alias not in artifact.aliases]:
        artifact.aliases = [*artifact.aliases, *added]
        artifact.save()
    return artifact


def link_artifact(self: Any, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> None:
    """Link an artifact to a collection: ``name``, ``project/name`` or ``entity/project/name``.

    One that is not logged is logged first. The link has ``latest`` and these aliases; raises as :meth:`log_artifact`.
    """
    self._recorder.record_config([])
    target = link_target(target_path, self.entity, self._names.project)
    chosen = checked_aliases(aliases)
    if not _is(artifact, Artifact):
        raise TypeError(f"Cannot link a {_kind(artifact)}: expected an Artifact")
    if self.disabled:
        return
    if artifact.is_draft() and artifact._pending is None:  # noqa: SLF001
        record_version(self, artifact, {})
    record_link(self, artifact, target, chosen)


def log_model(
    self: Any, path: str | os.PathLike[str], name: str | None = None, aliases: Sequence[str] | None = None
) -> None:
    """Record a model, a file or a folder or a URI, as an artifact of type ``model``; raises as :meth:`log_artifact`.

    Args:
        path: The model.
        name: Letters, digits, ``-``, ``_`` and ``.``; by default ``run-ID-BASENAME``.
        aliases: Aliases of the version.
    """
    _check_model_name(name)
    _log(self, path, name, "model", aliases)


def use_model(self: Any, name: str) -> str:
    """Download a model; return the path of its file, or of its folder if it has several.

    Raises:
        AssertionError: The type of the artifact does not contain ``model``.
        ValueError: The name has no version, alias or digest.
        RuntimeError: The run is offline.
        NotFoundError: The server does not know it.
    """
    if self.offline:
        raise RuntimeError("use_model() is not possible in an offline run: it has no server to download from")
    if not parse_reference(name).version:
        raise ValueError(f"Invalid name {name!r} of a model: expected NAME:VERSION, NAME:ALIAS or NAME:DIGEST")
    artifact = use_artifact(self, name)
    if not self.disabled:
        _check_model_type(artifact.name, artifact.type)
    folder = artifact.download()
    entries = os.listdir(folder)  # noqa: PTH208
    return os.path.join(folder, entries[0]) if len(entries) == 1 else folder  # noqa: PTH118


def link_model(
    self: Any,
    path: str | os.PathLike[str],
    registered_model_name: str,
    name: str | None = None,
    aliases: Sequence[str] | None = None,
) -> None:
    """Log a model and link it to a registered model, a collection of the project ``model-registry``.

    Args:
        path: The model.
        registered_model_name: Name of the collection, without entity and project.
        name: As for :meth:`log_model`.
        aliases: Aliases of the link.

    Raises:
        AssertionError: ``registered_model_name`` is a path, or there is an artifact ``name`` of another type.
        ValueError: The name is invalid, or the path leads nowhere.
    """
    if "/" in registered_model_name:
        raise AssertionError(
            f"Invalid name {registered_model_name!r} of a registered model: pass it without entity and project"
        )
    _check_model_name(name)
    known = None if name is None else registered_type(self, name)
    if known is not None:
        _check_model_type(str(name), known)
    artifact = _log(self, path, name, known or "model", None)
    link_artifact(self, artifact, "/".join(filter(None, (self.entity, MODEL_REGISTRY, registered_model_name))), aliases)


def _log(
    run: Any, given: Any, name: str | None, kind: str | None, aliases: Sequence[str] | None, **more: Any
) -> Artifact:
    run._recorder.record_config([])  # noqa: SLF001 - raises after the end of the run
    record: dict[str, Any] = {"aliases": checked_aliases(aliases), "tags": checked_tags(more.pop("tags", None)), **more}
    if run.disabled:
        return DisabledArtifact.standing_for(given, kind)
    if _is(given, Artifact):
        artifact = given
    elif _is(given, str) or _is(given, os.PathLike):  # type: ignore[type-abstract]
        artifact = _of_path(run, os.fspath(given), name, kind, record)
    else:
        raise TypeError(f"Cannot log a {_kind(given)}: expected an Artifact, or the path of a file or a folder")
    record_version(run, artifact, record)
    return artifact


def _of_path(run: Any, path: str, name: str | None, kind: str | None, record: dict[str, Any]) -> Artifact:
    """Return an artifact with what a path leads to; aliases and a prefix in the name are added to the record."""
    base = os.path.basename(path.rstrip("/")) or "root"  # noqa: PTH119
    given = artifact_name(f"run-{run.id}-{base}") if name is None else _split_name(run, name, record)
    return artifact_of(path, given, kind or "unspecified")


def _split_name(run: Any, name: str, record: dict[str, Any]) -> str:
    """Return the name of ``[entity/project/]name[:alias]``, of which the prefix is for distributed artifacts only."""
    if ":" not in name and "distributed_id" not in record:
        return name
    found = parse_reference(name)
    if found.project and "distributed_id" not in record:
        raise ValueError(f"Invalid name {name!r} of an artifact: it is logged to the project of the run")
    if found.project:
        record["artifact_project"], record["artifact_entity"] = found.project, found.entity or run.entity
    if found.version:
        record["aliases"] = list(dict.fromkeys([*record["aliases"], *_alias_in_name(found.version)]))
    return found.name


def _alias_in_name(version: str) -> list[str]:
    try:
        return checked_aliases([version])
    except ValueError:  # a number: the server numbers the versions
        return []


def _shared_id(run: Any, what: str, given: str | None) -> str:
    if (found := given or run.group) or run.disabled:
        return str(found)
    raise TypeError(f"Cannot {what} an artifact without a group of the run: pass distributed_id")


def _check_model_name(name: str | None) -> None:
    if name is not None and (problem := problem_of_artifact_name(name)):
        raise ValueError(f"Invalid name {name!r} of a model: {problem}")


def _check_model_type(name: str, kind: str) -> None:
    if "model" not in kind.lower():
        raise AssertionError(f"Artifact {name!r} has type {kind!r}: the type of a model contains 'model'")


def _without_scheme(name: str) -> str:
    return name.removeprefix("wandb-artifact://").removeprefix("runstream-artifact://")


def _kind(value: Any) -> str:
    return type(value).__name__


def _is(value: Any, kind: type[Class]) -> TypeGuard[Class]:
    """Return whether a value is of a class, without running code of the value: ``__class__`` may be a property."""
    return issubclass(type(value), kind)
