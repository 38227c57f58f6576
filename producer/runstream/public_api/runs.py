"""The runs of a project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from runstream.public_api.run import Run
from runstream.server.api_connection import ApiConnection


class Runs(Sequence[Run]):
    """Runs, newest first; pages are read as they are needed, and kept.

    ``conditions`` are query parameters of the HTTP API: those that select runs, and ``order``.
    """

    def __init__(
        self, connection: ApiConnection, *, entity: str | None, project: str | None, per_page: int, **conditions: Any
    ) -> None:
        self._connection = connection
        self._asked = {"entity": entity, "project": project, "limit": per_page, **conditions}
        #: Whether the server sorted only the newest of the runs.
        self.truncated = False
        self._found: list[Run] = []
        self._next: str | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Run]:
        index = 0
        while index < len(self._found) or self._read():
            yield self._found[index]
            index += 1

    def __len__(self) -> int:
        """Return the number of runs; reads all pages."""
        while self._read():
            pass
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        if isinstance(index, int) and index >= 0:
            while index >= len(self._found) and self._read():
                pass
        else:
            len(self)
        return self._found[index]

    def _read(self) -> bool:
        """Read the next page that has a run; return whether there is one."""
        documents: list[Any] = []
        while not (documents or self._ended):
            page = self._connection.get("/runs", **self._asked, after=self._next)
            documents = page["runs"]
            self._next = page["next"]
            self.truncated = bool(page.get("truncated"))
            self._ended = self._next is None
        self._found += [Run(self._connection, item["entity"], item["project"], item["id"], item) for item in documents]
        return bool(documents)
