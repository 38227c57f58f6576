"""The details of a writer and of its end, as JSON text and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runstream_consumers.liveness.writer import StateVote, TrackedWriter
from runstream_schemas import values
from runstream_schemas.events import Ending, ExitState
from runstream_schemas.topics import Topic


def dump_details(writer: TrackedWriter) -> str:
    """Return the details of a writer as JSON text."""
    return values.dump(
        {
            "host": writer.host,
            "label": writer.label,
            "continues": sorted(earlier.hex() for earlier in writer.continues),
            "stale": writer.stale,
            "unreachable": writer.unreachable,
            "finishing": writer.finishing,
            "preempting": writer.preempting,
            "heartbeat_vote": list(writer.heartbeat_vote),
            "exit_vote": list(writer.exit_vote),
            "goodbye": _fields(writer.goodbye),
            "exit": _fields(writer.exit),
        }
    )


def restore_details(writer: TrackedWriter, text: str) -> TrackedWriter:
    """Set the details of a writer from the text of :func:`dump_details`, and return it."""
    details = values.load(text)
    writer.host = details["host"]
    writer.label = details["label"]
    writer.continues = frozenset(map(bytes.fromhex, details["continues"]))
    writer.stale = details["stale"]
    writer.unreachable = details["unreachable"]
    writer.finishing = details["finishing"]
    # Rows of earlier versions do not contain these.
    writer.preempting = details.get("preempting", False)
    writer.heartbeat_vote = StateVote(*details.get("heartbeat_vote", ()))
    writer.exit_vote = StateVote(*details.get("exit_vote", ()))
    writer.goodbye = _ending(details["goodbye"])
    writer.exit = _ending(details["exit"])
    return writer


def _fields(ending: Ending | None) -> dict[str, Any] | None:
    if ending is None:
        return None
    return {
        "state": ending.state.value,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "reason": ending.reason,
        "counts": {topic.value: count for topic, count in ending.counts.items()},
    }


def _ending(fields: Mapping[str, Any] | None) -> Ending | None:
    if fields is None:
        return None
    return Ending(
        state=ExitState(fields["state"]),
        exit_code=fields["exit_code"],
        signal=fields["signal"],
        reason=fields["reason"],
        counts={Topic(name): count for name, count in fields["counts"].items()},
    )
