"""Finding the server: an address that was given, or the local stack's discovery file; and what it says of itself."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from runstream.exceptions import CommError
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.topics import RunPath

API_VERSION = 1
_LARGEST_ANSWER = 1024 * 1024
#: The folds of a run of ten thousand keys take some megabytes.
_LARGEST_STANDING = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """Address of an API, and what opens it."""

    url: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a server says of itself to its clients."""

    cluster_id: str
    #: host:port, several with commas.
    brokers: str
    #: First part of the topics' names.
    prefix: str
    partitions: int
    #: The account or team behind the token.
    entity: str
    #: Address of its pages, without a slash at the end.
    url: str
    heartbeat_interval_s: float = 15.0
    limits: Mapping[str, int] = field(default_factory=dict)
    api_version: int = API_VERSION


def discovery_path(environ: Mapping[str, str]) -> Path:
    """Return where the local stack leaves its address: ``RUNSTREAM_DATA_DIR``, else the user's data folder."""
    if folder := environ.get("RUNSTREAM_DATA_DIR"):
        return Path(folder).expanduser() / "discovery.json"
    home = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or Path.home()) / ".local" / "share"
    return Path(home) / "runstream" / "default" / "discovery.json"


def resolve_server(environ: Mapping[str, str], url: str | None = None) -> Server | None:
    """Return the server to talk to, or None where none was named and no local stack has ever run.

    Args:
        environ: ``RUNSTREAM_URL``, ``RUNSTREAM_API_KEY`` and what :func:`discovery_path` reads.
        url: Goes before ``RUNSTREAM_URL``.
    """
    local = _local_server(discovery_path(environ))
    token = environ.get("RUNSTREAM_API_KEY", "")
    url = (url or environ.get("RUNSTREAM_URL", "")).rstrip("/")
    if not url:
        return local
    if not token and local is not None and local.url == url:
        token = local.token
    return Server(url, token)


def connect(server: Server, timeout: float) -> Connection:
    """Ask a server for its brokers and limits.

    Args:
        server: Whom to ask.
        timeout: Seconds for each of connecting and answering.

    Raises:
        CommError: It does not answer in time, refuses, or answers with something else.
    """
    return _parse(server, _ask(server, "GET", "/connect", timeout))


def request_run_number(server: Server, run: RunPath, timeout: float) -> int:
    """Return the number of a run in its project, which the server gives it once and for all.

    Args:
        server: Whom to ask.
        run: The run.
        timeout: Seconds for each of connecting and answering.

    Raises:
        CommError: It does not answer in time, refuses, or answers with something else.
    """
    body = _ask(server, "POST", f"{_path(run)}/number", timeout)
    try:
        return int(json.loads(body)["number"])
    except (ValueError, TypeError, LookupError) as error:
        raise CommError(f"{server.url} gives no number: it answers with something else") from error


def fetch_stop_request(server: Server, run: RunPath, timeout: float) -> tuple[frozenset[bytes], float]:
    """Return the writers of a run that somebody asked to stop, and after how many seconds to ask again.

    Args:
        server: Whom to ask.
        run: The run.
        timeout: Seconds for each of connecting and answering.

    Raises:
        CommError: It does not answer in time, refuses, knows nothing of the run, or answers with something else.
    """
    body = _ask(server, "GET", f"{_path(run)}/stop", timeout)
    try:
        found = json.loads(body)
        return frozenset(map(bytes.fromhex, found["writers"])), float(found["ask_again_s"])
    except (ValueError, TypeError, LookupError) as error:
        raise CommError(f"{server.url} says nothing of a stop: it answers with something else") from error


def fetch_resume_state(
    server: Server, run: RunPath, *, step: int | None, wait_s: float, timeout: float
) -> dict[str, Any]:
    """Return how a run stands, once the server has read all that had arrived when it was asked.

    Args:
        server: Whom to ask.
        run: The run.
        step: Also ask for the last values up to this step.
        wait_s: Seconds that the server may wait for its consumers.
        timeout: Seconds for each of connecting and answering.

    Raises:
        CommError: It does not answer in time, refuses, or answers with something else.
    """
    asked = f"wait_s={max(wait_s, 0.1):.3f}" + ("" if step is None else f"&step={step}")
    body = _ask(server, "GET", f"{_path(run)}/standing?{asked}", timeout, largest=_LARGEST_STANDING)
    try:
        found = values.load(body.decode())
        return dict(found)
    except (ValueError, TypeError) as error:
        raise CommError(f"{server.url} does not tell how the run stands: it answers with something else") from error


def _path(run: RunPath) -> str:
    return "/runs/" + "/".join(quote(part, safe="") for part in (run.entity, run.project, run.run_id))


def _ask(server: Server, method: str, path: str, timeout: float, *, largest: int = _LARGEST_ANSWER) -> bytes:
    """Return the body of an answer of the API; raises CommError."""
    parts = urlsplit(server.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommError(f"{server.url!r} is no address of a server: it looks like http://host:port")
    headers = {"Accept": "application/json"}
    if server.token:
        headers["Authorization"] = f"Bearer {server.token}"
    link = _link(parts.scheme, parts.hostname, parts.port, timeout)
    try:
        link.request(method, f"{parts.path}/api/v{API_VERSION}{path}", headers=headers)
        answer = link.getresponse()
        body = answer.read(largest)
    except (OSError, http.client.HTTPException) as error:
        raise CommError(f"{server.url} does not answer ({error})") from error
    finally:
        link.close()
    if answer.status in {401, 403}:
        raise CommError(f"{server.url} refuses the API key (RUNSTREAM_API_KEY)")
    if answer.status != http.client.OK:
        raise CommError(f"{server.url} answers with status {answer.status}")
    return body


def _link(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
    """Return a connection that is spoken to directly: no proxy stands between a client and its own machine."""
    if scheme == "https":
        tls = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)
    return http.client.HTTPConnection(host, port, timeout=timeout)


def cache_connection(server: Server, connection: Connection, environ: Mapping[str, str]) -> None:
    """Keep the answer for times when the server is down; does nothing where it cannot be written."""
    path = _cache_path(server, environ)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(connection)))
        draft.replace(path)
    except OSError:
        return


def cached_connection(server: Server, environ: Mapping[str, str]) -> Connection | None:
    """Return the server's latest answer that was kept, or None."""
    try:
        return _parse(server, _cache_path(server, environ).read_bytes())
    except (OSError, CommError):
        return None


def _local_server(path: Path) -> Server | None:
    try:
        found = json.loads(path.read_text())
        return Server(str(found["url"]).rstrip("/"), str(found["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _cache_path(server: Server, environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(home) / "runstream" / f"connect-{hashlib.sha256(server.url.encode()).hexdigest()[:16]}.json"


def _parse(server: Server, body: bytes) -> Connection:
    try:
        found: dict[str, Any] = json.loads(body)
        connection = Connection(**{one.name: found[one.name] for one in fields(Connection) if one.name in found})
    except (ValueError, TypeError, AttributeError) as error:
        raise CommError(f"{server.url} is no Runstream server: it answers with something else") from error
    if connection.api_version != API_VERSION:
        raise CommError(
            f"{server.url} speaks version {connection.api_version} of the protocol, this client {API_VERSION}; upgrade"
        )
    return connection
