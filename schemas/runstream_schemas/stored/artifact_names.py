"""Names of artifacts, their types, aliases and tags, and references such as ``entity/project/name:latest``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runstream_schemas.topics import is_name

LATEST = "latest"
#: Commands about artifacts are published under this run id, which no run of a user has: they concern no run.
COMMANDS_RUN_ID = ":artifacts"
#: Registries are projects with this prefix, and one from before there were several.
REGISTRY_PREFIX, MODEL_REGISTRY = "wandb-registry-", "model-registry"

_LENGTH = 128
_NAME = re.compile(r"[A-Za-z0-9_.\-]+")
_OTHER = re.compile(r"[^A-Za-z0-9_.\-]")
_TAG = re.compile(r"[\w\-]+( +[\w\-]+)*")
_VERSION = re.compile(r"v(0|[1-9][0-9]{0,17})")
_RESERVED_TYPE, _RESERVED_TYPE_PREFIX = "job", "wandb-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What names a version of an artifact; parts that are not given are empty."""

    entity: str = ""
    project: str = ""
    name: str
    #: An alias, a version such as ``v3``, or a digest.
    version: str = ""


def parse_reference(text: str) -> Reference:
    """Return the parts of ``[entity/][project/]name[:version]``; raises ValueError for other texts."""
    path, colon, version = text.partition(":")
    *folders, name = path.split("/")
    expected = "expected [entity/][project/]name[:alias, version or digest]"
    if len(folders) > 2 or not all(is_name(part) for part in folders) or (colon and problem_of_alias(version)):  # noqa: PLR2004
        raise ValueError(f"Invalid name of an artifact {text!r}: {expected}")
    if problem := problem_of_target_name(name):
        raise ValueError(f"Invalid name of an artifact {text!r}: {problem}")
    entity, project = ["", "", *folders][-2:]
    return Reference(entity=entity, project=project, name=name, version=version)


def version_number(version: str) -> int | None:
    """Return the number of a version such as ``v3``; None for other texts."""
    return int(version[1:]) if _VERSION.fullmatch(version) else None


def is_registry(project: str) -> bool:
    """Return whether the collections of a project hold links only."""
    return project == MODEL_REGISTRY or project.startswith(REGISTRY_PREFIX)


def problem_of_artifact_name(name: str) -> str:
    """Return why an artifact cannot be logged under a name, or an empty string if it can."""
    if len(name) > _LENGTH:
        return f"it has more than {_LENGTH} characters"
    if not _NAME.fullmatch(name):
        return "expected letters, digits, '-', '_' and '.'"
    return "" if is_name(name) else "expected a name other than '.' and '..'"


def artifact_name(text: str) -> str:
    """Turn a text into an artifact name: with ``_`` for other characters, and ``..`` for the middle of long ones."""
    name = _OTHER.sub("_", text)
    half = _LENGTH // 2 - 1
    return name if len(name) <= _LENGTH else f"{name[:half]}..{name[-half:]}"


def problem_of_target_name(name: str) -> str:
    """Return why a collection that artifacts are linked to cannot have a name; spaces and most others are valid."""
    if is_name(name) and ":" not in name:
        return ""
    return f"expected 1 to {_LENGTH} characters without '/', ':' and control characters"


def problem_of_type(kind: str) -> str:
    """Return why users cannot choose a type of artifacts; an empty type is valid."""
    if kind == _RESERVED_TYPE or kind.startswith(_RESERVED_TYPE_PREFIX):
        return f"{_RESERVED_TYPE!r} and types that begin with {_RESERVED_TYPE_PREFIX!r} are reserved"
    return (
        "" if not kind or is_name(kind) else f"expected up to {_LENGTH} characters without '/' and control characters"
    )


def problem_of_alias(alias: str) -> str:
    """Return why a text is not an alias, or an empty string if it is one."""
    if is_name(alias) and ":" not in alias:
        return ""
    return f"expected 1 to {_LENGTH} characters without '/', ':' and control characters"


def is_reserved_alias(alias: str) -> bool:
    """Return whether an alias follows from the versions themselves, and cannot be given to one of them."""
    return alias == LATEST or version_number(alias) is not None


def problem_of_tag(tag: str) -> str:
    """Return why a text is not a tag of an artifact, or an empty string if it is one."""
    if len(tag) <= _LENGTH and _TAG.fullmatch(tag):
        return ""
    return f"expected up to {_LENGTH} letters, digits, '-', '_' and spaces between them"
