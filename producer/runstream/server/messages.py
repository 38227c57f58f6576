"""The messages about servers that cannot be used: the same in ``init()``, the command line, ``Api`` and the shipper."""

from __future__ import annotations

NO_SERVER = "No server is known: start one with `runstream up`, or set RUNSTREAM_URL"


def invalid_url(url: str) -> str:
    """Return the message about a text that is not the URL of a server."""
    return f"Invalid server URL {url!r}: expected http(s)://host[:port]"


def no_answer(url: str, reason: str, source: str) -> str:
    """Return the message about a server that cannot be reached; ``source`` names where its URL comes from."""
    origin = f" (from {source})" if source else ""
    return (
        f"No answer from {url} ({reason}): check this URL{origin} and that the server is running; "
        "`runstream up` starts a local one, RUNSTREAM_URL selects another"
    )


def no_key(url: str) -> str:
    """Return the message about a server that requires a key, and no key is known that belongs to it."""
    return (
        f"{url} requires an API key, and none is known for it: set RUNSTREAM_URL={url} together with "
        "RUNSTREAM_API_KEY (a key is only sent to the server that it belongs to). On the machine of a local "
        "stack, the key is the token in discovery.json in its data folder"
    )


def wrong_key(url: str, key_source: str) -> str:
    """Return the message about a key that a server does not accept; ``key_source`` names where the key comes from."""
    return f"{url} does not accept the API key from {key_source}: check the key and that the URL is that of its server"


def no_permission(url: str, reason: str) -> str:
    """Return the message about a request that the server does not permit."""
    return f"{url} does not permit the request: {reason}"
