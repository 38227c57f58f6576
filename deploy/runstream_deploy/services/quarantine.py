"""Reads the messages that consumers have quarantined: the table ``runtime.quarantine``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runstream_deploy.services.lag import fetch

_KINDS = """select sink, topic, messages, stage, last, reason from (
    select sink, topic, stage, split_part(reason, ':', 1) as kind, count(*) as messages, max(id) as newest
    from runtime.quarantine where redriven is null group by sink, topic, stage, kind
) as kinds join lateral (
    select extract(epoch from quarantined)::float8 as last, reason from runtime.quarantine where id = newest
) as example on true order by messages desc limit 20"""
_MESSAGES = """select sink, topic, partition, "offset", stage, reason, octet_length(raw) as size,
    extract(epoch from quarantined)::float8 as quarantined
from runtime.quarantine where redriven is null and ($1 = '' or sink = $1) order by id desc limit $2"""


async def read_kinds(dsn: str) -> Sequence[Mapping[str, Any]]:
    """Return the messages in quarantine by consumer, topic, stage and kind of error, with the newest reason of each."""
    return await fetch(dsn, _KINDS)


async def read_messages(dsn: str, sink: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """Return the messages in quarantine of a consumer, or of all if none is named, newest first."""
    return await fetch(dsn, _MESSAGES, sink, limit)
