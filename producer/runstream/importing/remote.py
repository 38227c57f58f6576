"""What the server knows of a run that is to be imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.public_api.exceptions import NotFoundError

if TYPE_CHECKING:
    from runstream.public_api.api import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRun:
    """A run that the server has."""

    #: By part: the content that was imported, and how many records of each kind; empty for a run that was logged.
    parts: Mapping[str, Mapping[str, Any]]
    #: The writers of its rows.
    writers: tuple[bytes, ...]
    #: Whether every record has arrived.
    complete: bool
    #: Whether it was deleted: the server drops all records of it.
    deleted: bool = False

    def fingerprint(self, part: str) -> str:
        """Return the content of a part that was imported, or an empty string."""
        found = self.parts.get(part)
        return str(found.get("fingerprint", "")) if isinstance(found, Mapping) else ""

    def recorded(self, part: str) -> dict[str, int]:
        """Return how many records of each kind imports of a part recorded."""
        found = self.parts.get(part)
        counts = found.get("recorded") if isinstance(found, Mapping) else None
        return {str(name): int(count) for name, count in counts.items()} if isinstance(counts, Mapping) else {}


class RemoteRuns:
    """Looks runs up at a server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def check(self) -> None:
        """Raise CommError if the server does not answer."""
        _ = self._api.default_entity

    def find(self, entity: str | None, project: str, run_id: str) -> RemoteRun | None:
        """Return a run, or None if the server does not know it; raises CommError."""
        try:
            run = self._api.run("/".join(part for part in (entity, project, run_id) if part))
        except NotFoundError as error:
            if getattr(error.__cause__, "code", "") == "run_deleted":
                return RemoteRun(parts={}, writers=(), complete=True, deleted=True)
            return None
        imported = run.metadata.get("import")
        parts = imported.get("parts") if isinstance(imported, Mapping) else None
        writers = tuple(bytes.fromhex(one["writer"]) for one in run.writers if one["role"] == "primary")
        parts = parts if isinstance(parts, Mapping) else {}
        return RemoteRun(parts=parts, writers=writers, complete=bool(run.delivery["complete"]))
