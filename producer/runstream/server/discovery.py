"""Which server to use, and which key belongs to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runstream.server.folders import stack_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Server:
    """The URL of an API, and the key for it."""

    url: str
    #: Empty if no key is known that belongs to this server.
    token: str = field(default="", repr=False)


def discovery_path(environ: Mapping[str, str]) -> Path:
    """Return the file in which the local stack publishes its URL and token."""
    return stack_folder(environ) / "discovery.json"


def resolve_server(environ: Mapping[str, str], url: str | None = None) -> Server | None:
    """Return the server to use, or None if none is named and no local stack has ever run.

    A key is only returned with the server that it belongs to: ``RUNSTREAM_API_KEY`` with ``RUNSTREAM_URL``, the token
    of the discovery file (in ``RUNSTREAM_DATA_DIR``) with the URL in it. ``url``, which takes precedence over
    ``RUNSTREAM_URL``, may come from a run folder that another person made.
    """
    local = _read_discovery_file(discovery_path(environ))
    named = environ.get("RUNSTREAM_URL", "").rstrip("/")
    url = (url or named).rstrip("/")
    if not url:
        return local
    owned = [Server(named, environ.get("RUNSTREAM_API_KEY", "")), *([local] if local else [])]
    tokens = (server.token for server in owned if server.token and same_origin(server.url, url))
    return Server(url, next(tokens, ""))


def same_origin(one: str, other: str) -> bool:
    """Return whether two URLs name the same server: scheme, host and port."""
    return (first := _origin(one)) is not None and first == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)) if parts.hostname else None
    except ValueError:
        return None


def _read_discovery_file(path: Path) -> Server | None:
    try:
        found = json.loads(path.read_text())
        return Server(str(found["url"]).rstrip("/"), str(found["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
