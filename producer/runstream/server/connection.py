"""What a server reports about itself, and a copy of it on disk for times when the server is down."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from runstream.exceptions import CommError
from runstream.server.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.server.discovery import Server

API_VERSION = 1
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The cluster behind a server, and its limits."""

    cluster_id: str
    #: host:port, several separated by commas.
    brokers: str
    #: First part of the topics' names.
    prefix: str
    partitions: int
    #: The account or team that the token belongs to.
    entity: str
    #: URL of the web pages, without a slash at the end.
    url: str
    heartbeat_interval_s: float = 15.0
    limits: Mapping[str, int] = field(default_factory=dict)
    api_version: int = API_VERSION


def to_connection(server: Server, found: Any) -> Connection:
    """Return the connection that an answer describes; raises CommError if it has another form or API version."""
    try:
        connection = Connection(**{one.name: found[one.name] for one in fields(Connection) if one.name in found})
    except (ValueError, TypeError, AttributeError) as error:
        raise CommError(f"{server.url} is not a Runstream server: unexpected answer to /connect") from error
    if connection.api_version != API_VERSION:
        raise CommError(
            f"{server.url} has version {connection.api_version} of the API, and this client version {API_VERSION}: "
            "upgrade the older of the two"
        )
    return connection


def cache_connection(server: Server, connection: Connection) -> None:
    """Keep a server's answer for times when it is down; does nothing if the file cannot be written."""
    path = _cache_path(server)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(connection)))
        draft.replace(path)


def cached_connection(server: Server) -> Connection | None:
    """Return the latest answer of a server that was kept, or None."""
    try:
        return to_connection(server, json.loads(_cache_path(server).read_bytes()))
    except (OSError, ValueError, CommError):
        return None


def is_refusal(error: CommError) -> bool:
    """Return whether the server refused the key: neither asking again nor an earlier answer helps."""
    return getattr(error, "status", 0) in _REFUSALS


def _cache_path(server: Server) -> Path:
    return cache_folder() / f"connect-{hashlib.sha256(server.url.encode()).hexdigest()[:16]}.json"
