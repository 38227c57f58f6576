"""The kit for tests of consumers, where it needs no server."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

from runstream_consumers.functions import FunctionConsumer
from runstream_consumers.runtime.registry import find_consumer
from runstream_consumers.testing import RecordedRun, messages_of, single_records
from runstream_schemas.codec import decode, encode
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import Topic
from tests.integration.runtime.test_documented_consumer import documented_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from runstream_schemas.events import Event

NAN = float("nan")


def test_events_are_numbered_as_a_writer_numbers_them() -> None:
    """Records of a topic have contiguous numbers, appends have contiguous orders, and the exit has the counts."""
    run = RecordedRun("me/digits/r1")
    config, first = run.config({"lr": 0.1}), run.log({"loss": 1.0}, {"loss": 0.5})
    summary, second = run.summary({"best": 0.5}), run.log({"loss": 0.25}, step=10)
    alert, beat = run.alert("late", "step 10", level="warn", wait=60), run.beat()
    end = run.exit("failed", exit_code=1, reason="ValueError")
    events: list[Event] = [config, first, summary, second, alert, beat, end]
    assert [(event.topic.value, event.seq) for event in events] == [
        ("config", 0),
        ("log", 0),
        ("summary", 0),
        ("log", 2),
        ("alert", 0),
        ("heartbeat", 0),
        ("exit", 0),
    ]
    assert (first.orders.tolist(), first.steps.tolist()) == ([1, 2], [0, 1])
    assert (second.orders.tolist(), second.steps.tolist(), unpack_rows(second)) == ([4], [10], [{"loss": 0.25}])
    counts = {Topic.CONFIG: 1, Topic.LOG: 3, Topic.SUMMARY: 1, Topic.ALERT: 1}
    assert end.ending.counts == counts
    assert [run.state("running").seq, run.state("crashed", previous="running").seq] == [0, 1]
    assert all(encode(decode(event.topic, encode(event))) == encode(event) for event in events)


def test_writers_of_a_run_are_told_apart_by_name() -> None:
    """The same name is the same writer in every test."""
    one, other = RecordedRun("me/digits/r1"), RecordedRun("me/digits/r1", writer="rank 1")
    assert one.path == other.path
    assert one.writer.id != other.writer.id
    assert one.writer == RecordedRun("me/digits/r1").writer


def test_an_event_can_be_divided_into_its_records() -> None:
    """Each row is an event with its own number."""
    run = RecordedRun()
    parts = single_records(run.log({"loss": 1.0}, {"loss": 0.5}))
    assert [(part.seq, part.count) for part in parts] == [(0, 1), (1, 1)]
    assert single_records(beat := run.beat()) == [beat]


def test_the_messages_of_the_documented_function(tmp_path: Path) -> None:
    """The function of the page requests one message per run, for its first NaN loss, whatever else is logged."""
    consumer = find_consumer(str(documented_file("nan_alert.py", tmp_path)))
    assert isinstance(consumer, FunctionConsumer)
    run, fine = RecordedRun("me/digits/r1"), RecordedRun("me/digits/r2")
    events: list[Event] = [
        run.log({"loss": 1.0}, {"loss": "unknown", "x": NAN}),
        run.log({"loss": NAN}, {"loss": NAN}),
        fine.log({"loss": 1.0}, {"x": NAN}),
        run.config({"lr": NAN}),
    ]
    text = "me/digits/r1: loss is NaN at step 2"
    assert messages_of(consumer, *events) == {("me/digits/r1", "nan"): {"text": text}}


def test_the_documented_test_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test on the page tests the function on the page."""
    documented_file("nan_alert.py", tmp_path)
    test = documented_file("test_nan_alert.py", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    runpy.run_path(str(test))["test_the_first_nan_is_reported"]()
