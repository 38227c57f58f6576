"""Of a record that is too large for a message, the values that are too large are kept as files of the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import runstream
from runstream.exceptions import DataError
from runstream.files.staging import Staging
from runstream.spool.fitting import MORE
from runstream.spool.format import TopicCode
from runstream_schemas import values
from runstream_schemas.events import AlertEvent, ChangeEvent, Event, Kind, LogEvent
from runstream_schemas.rows import unpack_rows
from tests.property.values.published import events_of
from tests.unit.producer.spooled import of_topic, only_run, primary

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


def resolved(folder: Path, value: Any) -> Any:
    """Return a value in which the references to files are replaced with what these hold."""
    if isinstance(value, dict) and value.get("_type") == "value-file":
        paths = {one["path"]: one for one in of_topic(primary(folder), TopicCode.FILE)}
        data = (only_run(folder) / paths[value["path"]]["staged"]).read_bytes()
        assert (value["size"], paths[value["path"]]["size"]) == (len(data), len(data))
        assert value["path"].startswith("media/values/")
        return data.decode() if value["path"].endswith(".txt") else values.load(data.decode())
    if isinstance(value, dict):
        found = {key: resolved(folder, item) for key, item in value.items()}
        more = found.pop(MORE, {})
        return {**found, **more}
    return [resolved(folder, item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be staged, as on a full disk."""

    def write(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Staging, "write", write)


def test_the_other_arguments_of_init_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, tags, notes and the rest of the config are recorded, and the warnings name what is kept as files."""
    texts = {f"text{number}": "x" * 262_144 for number in range(12)}
    config = {"lr": 0.1, "blob": "x" * 1_000_000, "symbols": SYMBOLS, "large": LARGE, **texts}

    events = recorded(tmp_path, lambda _: None, name="a", tags=["t"], notes="n", config=config)

    found, errors = entries(events, "config"), capsys.readouterr().err
    assert (found["name"], found["tags"], found["notes"], found["lr"]) == ("a", ["t"], "n", 0.1)
    assert {key: found[key] for key in texts} == texts
    for key in ("blob", "symbols", "large"):
        assert resolved(tmp_path, found[key]) == config[key]
        assert errors.count(f"{key!r} is recorded as a file of the run") == 1


@pytest.mark.usefixtures("full")
def test_what_cannot_be_kept_as_a_file_is_lost_visibly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A note or the beginning of a text is in its place, in config, summary and rows, and the warnings name it."""

    def act(run: runstream.Run) -> None:
        run.summary.update({"b": 2, "large": LARGE})
        run.log({"large": LARGE, "blob": "x" * 1_000_000})

    events = recorded(tmp_path, act, config={"lr": 0.1, "blob": "x" * 1_000_000, "symbols": SYMBOLS, "large": LARGE})

    found = entries(events, "config")
    assert (found["large"], found["lr"]) == (LOST, 0.1)
    assert found["blob"].endswith("[shortened from 1000000 characters]")
    assert "shortened from" in found["symbols"]
    assert entries(events, "summary") == {"b": 2, "large": LOST}
    (row,) = [row for event in events if isinstance(event, LogEvent) for row in unpack_rows(event)]
    assert row == {"large": LOST.replace("2400001", str(2_400_001)), "blob": found["blob"]}
    errors = capsys.readouterr().err
    assert errors.count("'blob' is shortened") == 1
    assert "'large' cannot be kept as a file of the run: No space left on device" in errors
    assert errors.count("cannot be recorded whole") == 3


def test_the_other_keys_of_a_change_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Config and summary have a reference to a file for the value that is too large."""
    seen: list[Any] = []

    def act(run: runstream.Run) -> None:
        run.config.update({"a": 1, "large": LARGE})
        run.summary.update({"b": 2, "large": LARGE, "n": {"text": ["x" * 300_000, "y"]}})
        seen.append(dict(run.summary["large"]))
        assert run.config["large"] == LARGE

    events = recorded(tmp_path, act)

    config, summary = entries(events, "config"), entries(events, "summary")
    assert resolved(tmp_path, {key: config[key] for key in ("a", "large")}) == {"a": 1, "large": LARGE}
    assert resolved(tmp_path, summary) == {"b": 2, "large": LARGE, "n": {"text": ["x" * 300_000, "y"]}}
    assert seen == [summary["large"]]
    assert capsys.readouterr().err.count("is recorded as a file of the run") == 2


@pytest.mark.parametrize(
    "row",
    [
        {"a": 1, "large": LARGE, "b": "x"},
        {"n": {"large": LARGE, "c": None}, "d": True},
        {"text": "x" * 300_000, "list": [{"a": SYMBOLS}, float("inf")], "nan": float("-inf")},
        {f"k{number}": "v" * 100_000 for number in range(40)},
    ],
    ids=["list", "nested", "texts", "many"],
)
def test_the_other_keys_of_a_row_are_kept(tmp_path: Path, row: dict[str, Any]) -> None:
    """A row has references for the values that are too large, each time it is logged; nothing is lost."""
    events = recorded(tmp_path, lambda run: [run.log(row) for _ in range(2)])

    rows = [found for event in events if isinstance(event, LogEvent) for found in unpack_rows(event)]
    assert [resolved(tmp_path, found) for found in rows] == [row] * 2
    assert all(found != row for found in rows)


@pytest.mark.parametrize("prefix", ["", "n" * 500])
def test_keys_for_which_a_row_has_no_room_are_kept_in_a_file(tmp_path: Path, prefix: str) -> None:
    """The first keys of a row are kept in it, and the others in one file."""
    numbers: dict[str, Any] = {f"k{number}": float(number) for number in range(80_000)}
    row = {prefix: numbers} if prefix else numbers

    events = recorded(tmp_path, lambda run: [run.log(row), run.log({"after": 1})])

    (first, after) = [found for event in events if isinstance(event, LogEvent) for found in unpack_rows(event)]
    assert after == {"after": 1}
    others = resolved(tmp_path, first.pop(MORE))
    if prefix:
        first, others = first[prefix], others[prefix]
    assert {**first, **others} == numbers
    assert len(first) > 1_000


@pytest.mark.usefixtures("full")
def test_too_many_keys_for_a_row_are_counted(tmp_path: Path) -> None:
    """Without a file, the first keys of a row are kept, and an entry has the number of the others."""
    numbers: dict[str, Any] = {f"k{number}": float(number) for number in range(80_000)}

    events = recorded(tmp_path, lambda run: run.log(numbers))

    (first,) = [found for event in events if isinstance(event, LogEvent) for found in unpack_rows(event)]
    lost = first.pop("[not recorded]")
    assert first == {key: numbers[key] for key in list(numbers)[: len(first)]}
    assert lost == f"[not recorded: {80_000 - len(first)} keys, for which a message has no room]"


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
