"""The runs that fulfill conditions, and sweeps, which are runs with one id of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from runstream.exceptions import UsageError
from runstream.public_api.exceptions import InvalidFilterError
from runstream.public_api.pages import Pages
from runstream.public_api.run_parts.summary import plain
from runstream.server.api_connection import ApiConnection
from runstream_schemas import values

T = TypeVar("T")

#: Makes a run of the connection, its entity, project and id, and its document.
Make = Callable[[ApiConnection, str, str, str, Any], T]


class RunPages(Pages[T], Generic[T]):
    """Runs; pages are read as they are needed, and kept.

    ``conditions`` are query parameters of the HTTP API: those that select runs, and ``order``.
    """

    def __init__(self, connection: ApiConnection, make: Make[T], *, per_page: int = 50, **conditions: Any) -> None:
        super().__init__()
        self._connection = connection
        self._make = make
        self._order = conditions.pop("order", None)
        self._per_page = per_page
        self._conditions = conditions
        self._count: int | None = None
        #: Whether there are runs with more keys of config and summary than they are found by.
        self.truncated = False

    def __len__(self) -> int:
        """Return the number of runs; the server counts them."""
        if self._ended:
            return len(self._found)
        if self._count is None:
            self._count = int(self._get("/runs/count", **self._conditions)["count"])
        return self._count

    def _page(self, after: str | None) -> tuple[list[T], str | None]:
        page = self._get("/runs", **self._conditions, order=self._order, limit=self._per_page, after=after)
        self.truncated = bool(page["truncated"])
        documents = page["runs"]
        return [self._make(self._connection, *_names(document), document) for document in documents], page["next"]

    def _get(self, path: str, **asked: Any) -> Any:
        try:
            return self._connection.get(path, **asked)
        except UsageError as error:
            raise InvalidFilterError(str(error)) from error


class Sweep(Generic[T]):
    """The runs with one id of a sweep, which the environment or ``init()`` sets."""

    def __init__(self, connection: ApiConnection, make: Make[T], entity: str, project: str, name: str) -> None:
        self._connection = connection
        self._make = make
        self.entity, self.project, self._name = entity, project, name

    def __repr__(self) -> str:
        return f"<Sweep {'/'.join(self.path)}>"

    @property
    def id(self) -> str:
        """The id."""
        return self._name

    @property
    def name(self) -> str:
        """The id."""
        return self._name

    @property
    def path(self) -> list[str]:
        """Entity, project and id."""
        return [self.entity, self.project, self._name]

    @property
    def runs(self) -> RunPages[T]:
        """The runs, oldest first."""
        return self._runs("+created_at")

    def best_run(self, order: str = "+summary_metrics.loss") -> T | None:
        """Return the first run in an order, as for ``Api.runs``; None if there is none."""
        return next(iter(self._runs(order)), None)

    def _runs(self, order: str) -> RunPages[T]:
        chosen = {"entity": self.entity, "project": self.project, "filters": filter_text({"sweep": self._name})}
        return RunPages(self._connection, self._make, per_page=50, order=order, **chosen)


def filter_text(filters: Any) -> str | None:
    """Return a filter as JSON text; None for none. Raises InvalidFilterError for values without JSON."""
    if not filters:
        return None
    try:
        return values.dump(plain(filters))
    except (TypeError, RecursionError) as error:
        raise InvalidFilterError(f"Invalid filters: {error}. Expected numbers, texts, lists and dicts") from error


def _names(document: Any) -> tuple[str, str, str]:
    return document["entity"], document["project"], document["id"]
