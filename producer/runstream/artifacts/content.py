"""Objects in artifacts, such as tables and images: how they become files, and files become objects again."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: By the type in the name of its description, ``NAME.TYPE.json``, the class of an object: not imported before it is
#: read, since these classes need libraries of their own.
CLASSES: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file that an object is made of: its path in the artifact, and its content or a file that has it."""

    path: str
    content: bytes | Path


@runtime_checkable
class ArtifactObject(Protocol):
    """What ``Artifact.add()`` accepts. Its class has ``from_artifact(description, artifact)``, the inverse."""

    def to_artifact_entries(self, name: str) -> Sequence[ArtifactFile]:
        """Return the files of the object: its description ``NAME.TYPE.json``, then those that it names by path."""


def description_paths(name: str) -> Iterator[tuple[str, str]]:
    """Yield the paths that the description of an object of this name may have, each with the type of the object."""
    for kind in CLASSES:
        yield (name if name.endswith(f".{kind}.json") else f"{name}.{kind}.json"), kind


def to_object(kind: str, description: dict[str, Any], artifact: Any) -> Any:
    """Return the object that a description in an artifact describes."""
    module, _, name = CLASSES[kind].partition(":")
    return getattr(import_module(module), name).from_artifact(description, artifact)
