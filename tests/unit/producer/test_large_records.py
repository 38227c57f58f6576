"""Of a record that is too large for a message, only the entry that is too large is lost, visibly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import runstream
from runstream.exceptions import DataError
from runstream_schemas.events import AlertEvent, ChangeEvent, Event, Kind, LogEvent
from runstream_schemas.rows import unpack_rows
from tests.property.values.published import events_of
from tests.unit.producer.spooled import primary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: More than a message as JSON.
LARGE = [1.5] * 600_000
LOST = "[not recorded: 2400001 bytes, for which a message has no room]"
SYMBOLS = "🚀" * 300_000


def recorded(folder: Path, act: Callable[[Any], object], **arguments: Any) -> list[Event]:
    """Run a function with a run, and return the events of the run; none of them is a marker."""
    settings = {"quiet": True, "console": "off"}
    with runstream.init(project="p", mode="offline", dir=folder, settings=settings, **arguments) as run:
        act(run)
    found = list(events_of(primary(folder)))
    assert [event for event in found if event.header.kind is Kind.DROPPED] == []
    return found


def entries(events: list[Event], topic: str) -> dict[str, Any]:
    """Return the values of a topic's entries by the first name of their paths."""
    return {
        entry.path[0]: json.loads(entry.value)
        for event in events
        if isinstance(event, ChangeEvent) and event.topic.value == topic
        for record in event.records
        for entry in record.entries
    }


def test_the_other_arguments_of_init_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, tags, notes and the rest of the config are recorded, and the warnings name what is shortened or lost."""
    texts = {f"text{number}": "x" * 262_144 for number in range(12)}
    config = {"lr": 0.1, "blob": "x" * 1_000_000, "symbols": SYMBOLS, "large": LARGE, **texts}

    events = recorded(tmp_path, lambda _: None, name="a", tags=["t"], notes="n", config=config)

    found, errors = entries(events, "config"), capsys.readouterr().err
    assert (found["name"], found["tags"], found["notes"], found["lr"]) == ("a", ["t"], "n", 0.1)
    assert {key: found[key] for key in texts} == texts
    assert found["large"] == LOST
    assert found["blob"].endswith("[shortened from 1000000 characters]")
    assert "shortened from" in found["symbols"]
    assert errors.count("'config.blob' is shortened") == 1
    assert errors.count("'large'") == 1


def test_the_other_keys_of_a_change_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Config and summary lose only the value that is too large."""

    def act(run: runstream.Run) -> None:
        run.config.update({"a": 1, "large": LARGE})
        run.summary.update({"b": 2, "large": LARGE})
        assert run.summary["large"] == LOST

    events = recorded(tmp_path, act)

    assert entries(events, "config") | {"a": 1, "large": LOST} == entries(events, "config")
    assert entries(events, "summary") == {"b": 2, "large": LOST}
    assert capsys.readouterr().err.count("cannot be recorded whole") == 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": 1, "large": LARGE, "b": "x"}, {"a": 1, "large": LOST, "b": "x"}),
        ({"n": {"large": LARGE, "c": None}, "d": True}, {"n": {"large": LOST, "c": None}, "d": True}),
    ],
)
def test_the_other_keys_of_a_row_are_kept(tmp_path: Path, row: dict[str, Any], expected: dict[str, Any]) -> None:
    """A row loses only the value that is too large, each time it is logged."""
    events = recorded(tmp_path, lambda run: [run.log(row) for _ in range(3)])

    rows = [found for event in events if isinstance(event, LogEvent) for found in unpack_rows(event)]
    assert rows == [expected] * 3


@pytest.mark.parametrize("prefix", ["", "n" * 500])
def test_too_many_keys_for_a_row_are_counted(tmp_path: Path, prefix: str) -> None:
    """The first keys of a row are kept, and an entry has the number of the others."""
    values: dict[str, Any] = {f"k{number}": float(number) for number in range(80_000)}
    row = {prefix: values} if prefix else values

    events = recorded(tmp_path, lambda run: [run.log(row), run.log({"after": 1}), run.log(row)])

    (first, middle, last) = [found for event in events if isinstance(event, LogEvent) for found in unpack_rows(event)]
    assert first == last
    assert middle == {"after": 1}
    lost = first.pop("[not recorded]")
    kept = first[prefix] if prefix else first
    assert kept == {key: values[key] for key in list(values)[: len(kept)]}
    assert lost == f"[not recorded: {80_000 - len(kept)} keys, for which a message has no room]"


def test_a_row_that_becomes_too_large_by_its_parts_is_cut(tmp_path: Path) -> None:
    """Of a row in several calls, each of which fits, the largest values are replaced."""
    text = "x" * 262_144

    def act(run: runstream.Run) -> None:
        for number in range(9):
            run.log({f"text{number}": text, "a": number}, commit=number == 8)

    (event,) = [event for event in recorded(tmp_path, act) if isinstance(event, LogEvent)]
    (row,) = unpack_rows(event)
    assert row["a"] == 8
    assert sum(row[f"text{number}"] == text for number in range(9)) >= 7
    assert all(value == text or "shortened" in value or "not recorded" in value for value in row.values() if value != 8)


def test_a_long_alert_is_shortened(tmp_path: Path) -> None:
    """Title and text of an alert are cut, with their lengths."""
    events = recorded(tmp_path, lambda run: run.alert("t" * 10**6, SYMBOLS))

    (event,) = [event for event in events if isinstance(event, AlertEvent)]
    assert event.full_title.endswith("(1000000 characters, shortened)")
    assert event.text.endswith("(300000 characters, shortened)")


def test_a_strict_run_refuses_what_is_too_large(tmp_path: Path) -> None:
    """With the setting strict, an error is raised, and nothing of the call is recorded."""
    settings = {"silent": True, "strict": True}
    with runstream.init(project="p", mode="offline", dir=tmp_path, settings=settings) as run:
        for call in (run.log, run.config.update, run.summary.update):
            with pytest.raises(DataError, match="large"):
                call({"a": 1, "large": LARGE})
        with pytest.raises(DataError, match="too long"):
            run.log({"text": "x" * 300_000})

    assert entries(list(events_of(primary(tmp_path))), "summary") == {}
