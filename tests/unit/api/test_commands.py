"""Commands as events."""

from __future__ import annotations

from runstream_consumers.api.kafka.command_events import change_attributes, stop_request, stopped_writers
from runstream_consumers.api.security.access import Principal, PrincipalKind
from runstream_schemas.codec import decode, encode
from runstream_schemas.events import ChangeEvent, Role
from runstream_schemas.topics import RunPath, Topic

_RUN = RunPath(entity="ada", project="digits", run_id="one")


def test_command_event_carries_the_principal() -> None:
    """The event of a command has the id of the principal that made the request, and the role command."""
    request = stop_request([b"\x01" * 16], "2026-01-02T03:04:05Z")
    event = change_attributes(_RUN, bytes(16), {"stop_requested": request}, Principal("ada", PrincipalKind.USER))
    read = decode(Topic.CONFIG, encode(event))
    assert isinstance(read, ChangeEvent)
    assert (read.principal, read.writer.role, read.run) == ("ada", Role.COMMAND, _RUN)


def test_stopped_writers_ignore_malformed_attributes() -> None:
    """The writers of a stop request are read back; values of another type are ignored."""
    assert stopped_writers({"stop_requested": stop_request([b"\x01" * 16], "")}) == ["01" * 16]
    assert stopped_writers({"stop_requested": "yes"}) == stopped_writers({"stop_requested": {"writers": 1}}) == []
