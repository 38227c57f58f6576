"""What a writer said of itself and of its end, as JSON text and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_consumers.liveness.writer import Say
from runstream_schemas import values
from runstream_schemas.events import Ending, ExitState
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_consumers.liveness.writer import Writer


def details_of(writer: Writer) -> str:
    """Return the JSON text of what a writer said."""
    return values.dump(
        {
            "host": writer.host,
            "label": writer.label,
            "continues": sorted(earlier.hex() for earlier in writer.continues),
            "stale": writer.stale,
            "unreachable": writer.unreachable,
            "finishing": writer.finishing,
            "preempting": writer.preempting,
            "heard_say": list(writer.heard_say),
            "exit_say": list(writer.exit_say),
            "goodbye": _fields(writer.goodbye),
            "exit": _fields(writer.exit),
        }
    )


def with_details(writer: Writer, text: str) -> Writer:
    """Return the writer with what :func:`details_of` wrote down."""
    details = values.load(text)
    writer.host = details["host"]
    writer.label = details["label"]
    writer.continues = frozenset(map(bytes.fromhex, details["continues"]))
    writer.stale = details["stale"]
    writer.unreachable = details["unreachable"]
    writer.finishing = details["finishing"]
    # What was stored before there were these says nothing of them.
    writer.preempting = details.get("preempting", False)
    writer.heard_say = Say(*details.get("heard_say", ()))
    writer.exit_say = Say(*details.get("exit_say", ()))
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
