"""The requests that ``init()`` and the shipper send to the server."""

from __future__ import annotations

import sys
from http import HTTPStatus
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runstream.exceptions import CommError
from runstream.server.connection import Connection, to_connection

if TYPE_CHECKING:
    from runstream.server.discovery import Server
    from runstream_schemas.topics import RunPath


def connect(server: Server, timeout: float) -> Connection:
    """Return the server's brokers and limits; raises CommError without a valid answer in time."""
    return to_connection(server, _request(server, "GET", "/connect", timeout))


def request_run_number(server: Server, run: RunPath, timeout: float) -> int:
    """Return the number of a run in its project, which the server assigns at the first request; raises CommError."""
    found = _request(server, "POST", f"{run_address(run)}/number", timeout)
    try:
        return int(found["number"])
    except (ValueError, TypeError, LookupError) as error:
        raise CommError(f"Unexpected answer of {server.url} to the request for a run number: {found!r:.80}") from error


def fetch_stop_request(server: Server, run: RunPath, timeout: float) -> tuple[frozenset[bytes], float]:
    """Return the writers of a run that are asked to stop, and the seconds until the next request; raises CommError."""
    found = _request(server, "GET", f"{run_address(run)}/stop", timeout)
    try:
        return frozenset(map(bytes.fromhex, found["writers"])), float(found["ask_again_s"])
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
