"""The runs of a project."""

from __future__ import annotations

from typing import Any

from runstream.public_api.pages import Pages
from runstream.public_api.run import Run
from runstream.server.api_connection import ApiConnection


class Runs(Pages[Run]):
    """Runs, newest first; pages are read as they are needed, and kept.

    ``conditions`` are query parameters of the HTTP API: those that select runs, and ``order``.
    """

    def __init__(
        self, connection: ApiConnection, *, entity: str | None, project: str | None, per_page: int, **conditions: Any
    ) -> None:
        super().__init__()
        self._connection = connection
        self._asked = {"entity": entity, "project": project, "limit": per_page, **conditions}
        #: Whether the server sorted only the newest of the runs.
        self.truncated = False

    def _page(self, after: str | None) -> tuple[list[Run], str | None]:
        page = self._connection.get("/runs", **self._asked, after=after)
        self.truncated = bool(page.get("truncated"))
        found = [Run(self._connection, item["entity"], item["project"], item["id"], item) for item in page["runs"]]
        return found, page["next"]
