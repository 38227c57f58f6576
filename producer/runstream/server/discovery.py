"""Which server to use, and which key belongs to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runstream.exceptions import UsageError
from runstream.server.folders import stack_folder
from runstream.server.messages import invalid_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PORTS = {"http": 80, "https": 443}
#: Where a URL comes from, for messages.
VARIABLE, LOCAL_STACK, RUN_FOLDER = "RUNSTREAM_URL", "the local stack", "the run folder"


@dataclass(frozen=True, slots=True)
class Server:
    """The URL of an API, and the key for it."""

    url: str
    #: Empty if no key is known that belongs to this server.
    token: str = field(default="", repr=False)
    #: Where the URL comes from, and where the key, for messages.
    source: str = field(default="", repr=False, compare=False)
    key_source: str = field(default="RUNSTREAM_API_KEY", repr=False, compare=False)


def discovery_path(environ: Mapping[str, str]) -> Path:
    """Return the file in which the local stack publishes its URL and token."""
    return stack_folder(environ) / "discovery.json"


def resolve_server(environ: Mapping[str, str], url: str | None = None, *, recorded: str | None = None) -> Server | None:
    """Return the server to use, or None if none is named and no local stack has ever run; raises UsageError.

    ``url`` takes precedence over ``RUNSTREAM_URL``, that over the URL ``recorded`` in a run folder, and that over the
    local stack. A key is only returned with the server that it belongs to: ``RUNSTREAM_API_KEY`` with
    ``RUNSTREAM_URL``, the token of the discovery file (in ``RUNSTREAM_DATA_DIR``) with the URL in it.
    """
    local = local_stack(environ)
    named = _tidy(environ.get(VARIABLE))
    choices = ((url, "base_url or RUNSTREAM_URL"), (environ.get(VARIABLE), VARIABLE), (recorded, RUN_FOLDER))
    given, source = next(((one, source) for one, source in choices if one and one.strip()), ("", ""))
    if not given:
        return local
    check_url(given, source)
    chosen = _tidy(given)
    owned = [Server(named, environ.get("RUNSTREAM_API_KEY", "")), *([local] if local else [])]
    own = next((one for one in owned if one.token and same_origin(one.url, chosen)), Server(""))
    return Server(chosen, own.token, source, own.key_source)


def local_stack(environ: Mapping[str, str]) -> Server | None:
    """Return the local stack as its discovery file names it; None if there is no file, or a damaged one."""
    path = discovery_path(environ)
    try:
        found = json.loads(path.read_text())
        url, token = _tidy(str(found["url"])), str(found["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Server(url, token, LOCAL_STACK, str(path)) if host_of(url) else None


def check_url(url: str, source: str) -> None:
    """Raise UsageError unless a URL can be that of a server; ``source`` names where the URL was given."""
    if host_of(_tidy(url)) is None:
        raise UsageError(f"{invalid_url(url)} (from {source})")


def host_of(url: str) -> str | None:
    """Return the host in the URL of a server, or None if it cannot be one."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        return None
    return parts.hostname if valid and url.isprintable() and " " not in url else None


def same_origin(one: str, other: str) -> bool:
    """Return whether two URLs name the same server: scheme, host and port."""
    return (first := _origin(one)) is not None and first == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)) if parts.hostname else None
    except ValueError:
        return None


def _tidy(url: str | None) -> str:
    return (url or "").strip().rstrip("/")
