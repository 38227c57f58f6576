"""The requests that ``init()`` and the shipper send to the server."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from runstream.exceptions import CommError
from runstream.server.connection import Connection, cached_connection, to_connection
from runstream.server.discovery import RUN_FOLDER, Server, local_stack, same_origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from runstream_schemas.topics import RunPath


def connect(server: Server, timeout: float) -> Connection:
    """Return the server's brokers and limits; raises CommError without a valid answer in time."""
    return to_connection(server, _request(server, "GET", "/connect", timeout))


def find_stack(
    server: Server, environ: Mapping[str, str], clusters: Iterable[str], timeout: float
) -> tuple[Server, Connection]:
    """Return a server and its answer, or those of the local stack if that is the same stack at another URL.

    The stack is recognized by its cluster: one of ``clusters``, to which the run was delivered, or the one in the last
    answer of the server. A URL from a run folder may by now be that of another stack; one that is named now is used as
    it is. Raises CommError without a valid answer in time.
    """
    known = cached_connection(server)
    mine = {*clusters, *([known.cluster_id] if known else [])}
    problem: CommError | None = None
    try:
        found = connect(server, timeout)
        if server.source != RUN_FOLDER or not mine or found.cluster_id in mine:
            return server, found
    except CommError as error:
        problem = error
    local = local_stack(environ)
    if local is not None and mine and not same_origin(local.url, server.url):
        with suppress(CommError):
            moved = connect(local, timeout)
            if moved.cluster_id in mine:
                return replace(local, source=f"the local stack, which was at {server.url}"), moved
    if problem is not None:
        raise problem
    return server, found


class RunNumber(NamedTuple):
    """The number of a run in its project."""

    number: int
    #: The run was deleted: nothing of it is stored any more.
    deleted: bool = False


def request_run_number(server: Server, run: RunPath, timeout: float) -> RunNumber:
    """Return the number of a run in its project, which the server assigns at the first request; raises CommError."""
    found = _request(server, "POST", f"{run_address(run)}/number", timeout)
    try:
        return RunNumber(int(found["number"]), found.get("deleted") is True)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise CommError(f"Unexpected answer of {server.url} to the request for a run number: {found!r:.80}") from error


class StopRequests(NamedTuple):
    """Which writers of a run are asked to stop, and the seconds until the next request."""

    writers: frozenset[bytes]
    ask_again_s: float
    #: The run was deleted, so that every writer is asked to stop: nothing more of it is stored.
    deleted: bool = False

    def includes(self, writers: Collection[bytes]) -> bool:
        """Return whether one of some writers is asked to stop."""
        return self.deleted or not self.writers.isdisjoint(writers)


def fetch_stop_requests(server: Server, run: RunPath, timeout: float) -> StopRequests:
    """Return the writers of a run that are asked to stop; raises CommError."""
    found = _request(server, "GET", f"{run_address(run)}/stop", timeout)
    try:
        asked = frozenset(map(bytes.fromhex, found["writers"]))
        return StopRequests(asked, float(found["ask_again_s"]), found.get("deleted") is True)
    except (ValueError, TypeError, LookupError) as error:
        raise CommError(f"Unexpected answer of {server.url} to the request for stops: {found!r:.80}") from error


def fetch_resume_state(
    server: Server, run: RunPath, *, step: int | None, wait_s: float, timeout: float
) -> dict[str, Any]:
    """Return the state that a resumed run continues from, as of the moment of the request; raises CommError.

    The server may wait ``wait_s`` for its consumers. With a step, the last values up to that step are included.
    """
    params = {"wait_s": f"{max(wait_s, 0.1):.3f}", "step": step}
    try:
        found = _request(server, "GET", f"{run_address(run)}/resume-state", timeout, params=params)
    except CommError as error:
        if getattr(error, "status", 0) != HTTPStatus.NOT_FOUND:
            raise
        # A server of an earlier version.
        found = _request(server, "GET", f"{run_address(run)}/standing", timeout, params=params)
    if not isinstance(found, dict):
        raise CommError(f"Unexpected answer of {server.url} to the request for the state of a run: {found!r:.80}")
    return found


def run_address(run: RunPath) -> str:
    """Return the path of a run in the API, each of its parts quoted."""
    return "/runs/" + "/".join(quote(part, safe="") for part in (run.entity, run.project, run.run_id))


def _request(server: Server, method: str, path: str, timeout: float, **more: Any) -> Any:
    _import_httpx()
    from runstream.server.client import ServerClient  # noqa: PLC0415 - only with a server to ask

    with ServerClient(server, timeout) as client:
        return client.request(method, path, **more)


def _import_httpx() -> None:
    """Import httpx without its command line, which takes two thirds of the import time: 15 % of that of ``init()``.

    httpx 0.28 does without the module if it cannot be imported; another version imports it as usual.
    """
    if "httpx" not in sys.modules and version("httpx").startswith("0.28."):
        sys.modules["httpx._main"] = None  # type: ignore[assignment]
        try:
            import_module("httpx")
        finally:
            # Another thread may have removed it.
            sys.modules.pop("httpx._main", None)
