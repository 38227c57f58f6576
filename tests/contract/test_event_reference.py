"""The reference of events in the documentation."""

from __future__ import annotations

from tests.contract.event_reference import PAGE, render


def test_the_reference_of_events_is_up_to_date() -> None:
    """The page is what the source generates; after a change run ``python -m tests.contract.event_reference``."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_the_reference_has_every_event() -> None:
    """The events of all topics, their fields, and the functions that unpack rows are described."""
    page = render()
    for name in ("LogEvent", "ChangeEvent", "HeartbeatEvent", "ExitEvent", "AlertEvent", "StateEvent", "unpack_rows"):
        assert f"### {name}\n" in page
    assert "| `continues` | `tuple[bytes, ...]` | The writers that this one continues (resume). |" in page
    assert "| `pending` | `int` | records that no broker has acknowledged |" in page
