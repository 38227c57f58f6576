"""Blocks become messages that the contract can say and the broker takes."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import msgspec
import pytest

from runstream.assembly.block import Block
from runstream.assembly.events import Envelope, Message, create_messages
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.plain_values import plain_row, shortened
from runstream.spool.reader import Position
from runstream_schemas.codec import decode
from runstream_schemas.events import (
    AlertEvent,
    ArtifactEvent,
    Branch,
    ChangeEvent,
    FileEvent,
    Kind,
    LogEvent,
    Operation,
    Role,
    Scope,
    Writer,
)
from runstream_schemas.limits import Limits
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath, Topic

LIMITS = Limits()
ENVELOPE = Envelope(
    RunPath(entity="team", project="project", run_id="run"), Writer(id=bytes(16), role=Role.PRIMARY, continues=())
)


def block_of(values: list[Any], topic: TopicCode = TopicCode.LOG, seq: int = 5) -> Block:
    """Return a block of records from ``seq`` on, sized as the spool has them."""
    sizes = [len(msgspec.msgpack.encode(value)) for value in values]
    numbers = list(range(100, 100 + len(values)))
    stream = StreamCode.HISTORY if topic is TopicCode.LOG else StreamCode.NONE
    start = Position(0, 64)
    return Block(topic, stream, seq, start, numbers, numbers, numbers, values, sum(sizes), max(sizes))


def sent(block: Block, limits: Limits = LIMITS) -> list[Message]:
    """Return the messages of a block."""
    return list(create_messages(block, ENVELOPE, limits, now=77))


def rows_sent(values: list[Any], limits: Limits = LIMITS) -> list[dict[str, Any]]:
    """Return the rows as a reader finds them in the one message of a block."""
    (message,) = sent(block_of(values), limits)
    event = decode(Topic.LOG, message.payload)
    assert isinstance(event, LogEvent)
    return unpack_rows(event)


def test_rows_travel_unchanged() -> None:
    """Rows arrive with their values, numbers, steps and times."""
    values = [{"a": 1, "b": {"c.d": 0.5}}, {"a": None, "s": "text\x00", "l": [1, math.inf]}]

    (message,) = sent(block_of(values))

    event = decode(Topic.LOG, message.payload)
    assert isinstance(event, LogEvent)
    assert unpack_rows(event) == values
    assert (event.seq, event.count, event.orders.tolist(), event.steps.tolist(), event.times.tolist()) == (
        5,
        2,
        [100, 101],
        [100, 101],
        [100, 101],
    )
    assert (message.seq, message.stop) == (5, 7)


def test_what_msgpack_knows_and_the_contract_does_not_is_spelled() -> None:
    """Times and bytes become text, keys become strings, and the rows beside them are not touched."""
    moment = dt.datetime(2026, 11, 21, 4, tzinfo=dt.UTC)

    rows = rows_sent([{"at": moment, "raw": b"\x00\xff", 3: {4: 5}}, {"x": 1.5}])

    assert rows == [{"at": "2026-11-21T04:00:00+00:00", "raw": "\0\\xff", "3": {"4": 5}}, {"x": 1.5}]


def test_what_is_too_long_says_so() -> None:
    """Strings, keys and nesting beyond the limits are cut, and the value says so."""
    limits = Limits(string_length=60, key_length=45, depth=3)
    deep: dict[str, Any] = {"a": {"b": {"c": {"d": 1}}}}

    rows = rows_sent([{"text": "x" * 100, "k" * 50: 1, "deep": deep}], limits)

    note = "... (nested too deep to be kept)"
    assert rows == [
        {
            "text": "x" * 29 + "... (100 characters, shortened)",
            "k" * 15 + "... (50 characters, shortened)": 1,
            "deep": {"a": {"b": note}},
        }
    ]


def test_a_block_too_large_is_parted() -> None:
    """A block that no message can hold becomes several, in order and without a gap."""
    limits = Limits(message_bytes=8 * 1024)

    parts = sent(block_of([{"text": "x" * 3000} for _ in range(5)]), limits)

    ends = [part.stop for part in parts]
    assert [part.seq for part in parts] == [5, *ends[:-1]]
    assert ends[-1] == 10
    assert all(len(part.payload) <= 7 * 1024 for part in parts)


def test_a_row_too_large_is_replaced_by_a_marker() -> None:
    """One row that no message can hold is marked as dropped, with the reason; its neighbours are kept."""
    limits = Limits(message_bytes=8 * 1024)

    parts = sent(block_of([{"a": 1}, {"text": "x" * 10_000}, {"a": 3}]), limits)

    events = [decode(Topic.LOG, part.payload) for part in parts]
    assert all(isinstance(event, LogEvent) for event in events)
    facts = [(event.seq, event.count, event.kind) for event in events if isinstance(event, LogEvent)]
    assert facts == [(5, 1, Kind.DATA), (6, 1, Kind.DROPPED), (7, 1, Kind.DATA)]
    assert isinstance(events[1], LogEvent)
    assert events[1].reason.startswith("too large for a message: ")


def test_changes_keep_scope_operation_and_path() -> None:
    """Entries of config and summary arrive as they were made."""
    config = [["config", "set", ["a", "b"], {"x": math.nan}], ["attribute", "remove", ["notes"], None]]

    (first,) = sent(block_of([config], TopicCode.CONFIG))
    (second,) = sent(block_of([[["set", ["best"], 2]]], TopicCode.SUMMARY))

    event, summary = decode(Topic.CONFIG, first.payload), decode(Topic.SUMMARY, second.payload)
    assert isinstance(event, ChangeEvent)
    assert isinstance(summary, ChangeEvent)
    entries = [(entry.scope, entry.op, entry.path, entry.value) for entry in event.records[0].entries]
    assert entries == [
        (Scope.CONFIG, Operation.SET, ("a", "b"), '{"x":{"_type":"float","value":"NaN"}}'),
        (Scope.ATTRIBUTE, Operation.REMOVE, ("notes",), "null"),
    ]
    assert [(entry.path, entry.value) for entry in summary.records[0].entries] == [(("best",), "2")]


def test_a_change_that_makes_no_sense_is_marked() -> None:
    """A change of the wrong shape becomes a marker; the one beside it is kept."""
    parts = sent(block_of([[["config", "set", 7, 1]], [["config", "set", ["a"], 1]]], TopicCode.CONFIG))

    events = [decode(Topic.CONFIG, part.payload) for part in parts]
    kinds = [(event.seq, event.kind) for event in events if isinstance(event, ChangeEvent)]
    assert kinds == [(5, Kind.DROPPED), (6, Kind.DATA)]


def test_missing_records_are_an_event_of_their_own() -> None:
    """A gap becomes a marker that names its numbers and the reason."""
    (message,) = sent(Block(TopicCode.SUMMARY, 0, 3, Position(0, 64), reason="gone", missing=4))

    event = decode(Topic.SUMMARY, message.payload)
    assert isinstance(event, ChangeEvent)
    assert (event.kind, event.seq, event.count, event.reason, event.time) == (Kind.DROPPED, 3, 4, "gone", 77)


@pytest.mark.parametrize("topic", [TopicCode.FILE, TopicCode.ARTIFACT, TopicCode.ALERT])
def test_other_topics_without_their_fields_are_marked(topic: TopicCode) -> None:
    """A record of a topic whose fields are not there is marked as dropped, with the reason."""
    (message,) = sent(block_of([{"no": "such field"}], topic))

    event = decode(Topic[topic.name], message.payload)
    assert isinstance(event, FileEvent | ArtifactEvent | AlertEvent)
    assert (event.kind, event.seq, event.count) == (Kind.DROPPED, 5, 1)
    assert event.reason.startswith("cannot be represented in the contract: ValueError: missing fields: ")


def test_shortened_text_has_the_length() -> None:
    """A shortened text is as long as allowed, its note included; a short one is not touched."""
    assert [shortened("abc", 3), len(shortened("x" * 500, 100))] == ["abc", 100]


def test_a_plain_row_is_equal() -> None:
    """A row that is plain already stays equal."""
    row = {"a": [1, 2.5, None, True, "x"], "b": {"c": {}}}

    assert plain_row(row, LIMITS) == row


@pytest.mark.parametrize(("run_id", "origin"), [("other", "other"), (None, "run")])
def test_a_branch_names_the_run_that_the_rows_go_on_from(run_id: str | None, origin: str) -> None:
    """A fork names another run of the project, a rewind the run itself."""
    block = Block(TopicCode.LOG, StreamCode.HISTORY, 3, Position(0, 64), [7], [12], [9], [{"run_id": run_id}], 1, 1)
    block.is_branch = True

    (message,) = sent(block)

    event = decode(Topic.LOG, message.payload)
    assert isinstance(event, LogEvent)
    assert (event.kind, event.seq, event.count, message.stop) == (Kind.BRANCH, 3, 1, 4)
    assert event.branch == Branch(run=RunPath(entity="team", project="project", run_id=origin), step=12)
