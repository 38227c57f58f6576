"""Blocks become messages that the contract can represent and the broker accepts."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runstream.assembly.block import Block
from runstream.assembly.events import Envelope, Message, create_messages
from runstream.files.value_file import ValueFile
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

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits()
ENVELOPE = Envelope(
    RunPath(entity="team", project="project", run_id="run"), Writer(id=bytes(16), role=Role.PRIMARY, continues=())
)


def block_of(values: list[Any], topic: TopicCode = TopicCode.LOG, seq: int = 5) -> Block:
    """Return a block of records from ``seq`` on, with their sizes in the spool."""
    sizes = [len(msgspec.msgpack.encode(value)) for value in values]
    numbers = list(range(100, 100 + len(values)))
    stream = StreamCode.HISTORY if topic is TopicCode.LOG else StreamCode.NONE
    start = Position(0, 64)
    return Block(topic, stream, seq, start, numbers, numbers, numbers, values, sum(sizes), max(sizes))


def sent(block: Block, limits: Limits = LIMITS) -> list[Message]:
    """Return the messages of a block."""
    return list(create_messages(block, ENVELOPE, limits, now=77))


def rows_sent(values: list[Any], limits: Limits = LIMITS) -> list[dict[str, Any]]:
    """Return the rows in the only message of a block."""
    (message,) = sent(block_of(values), limits)
    event = decode(Topic.LOG, message.payload)
    assert isinstance(event, LogEvent)
    return unpack_rows(event)


def test_rows_arrive_unchanged() -> None:
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


def test_values_outside_the_contract_become_text() -> None:
    """Times and bytes become text, keys become strings, and other rows are unchanged."""
    moment = dt.datetime(2026, 11, 21, 4, tzinfo=dt.UTC)

    rows = rows_sent([{"at": moment, "raw": b"\x00\xff", 3: {4: 5}}, {"x": 1.5}])

    assert rows == [{"at": "2026-11-21T04:00:00+00:00", "raw": "\0\\xff", "3": {"4": 5}}, {"x": 1.5}]


def test_values_that_are_too_long_are_shortened() -> None:
    """Strings, keys and nesting beyond the limits are shortened, with a note in the value."""
    limits = Limits(string_length=60, key_length=45, depth=3)
    deep: dict[str, Any] = {"a": {"b": {"c": {"d": 1}}}}

    rows = rows_sent([{"text": "x" * 100, "k" * 50: 1, "deep": deep}], limits)

    note = "[not recorded: nested too deep]"
    assert rows == [
        {
            "text": "x" * 29 + "... (100 characters, shortened)",
            "k" * 36 + "…c71bac4f": 1,
            "deep": {"a": {"b": note}},
        }
    ]


def test_large_block_is_split() -> None:
    """A block that is too large for a message becomes several messages, in order and without gaps."""
    limits = Limits(message_bytes=8 * 1024)

    parts = sent(block_of([{"text": "x" * 3000} for _ in range(5)]), limits)

    ends = [part.stop for part in parts]
    assert [part.seq for part in parts] == [5, *ends[:-1]]
    assert ends[-1] == 10
    assert all(len(part.payload) <= 7 * 1024 for part in parts)


def test_block_of_too_many_names_is_split() -> None:
    """A block whose rows are much work to assemble is divided, so that readers accept every part."""
    limits = Limits(block_weight=20)

    parts = sent(block_of([{"a": {"b": None, "c": None}}] * 12), limits)

    assert [(part.seq, part.stop) for part in parts] == [(5, 8), (8, 11), (11, 14), (14, 17)]
    assert all(decode(Topic.LOG, part.payload, limits) for part in parts)


def test_only_the_large_value_of_a_row_is_shortened() -> None:
    """A value for which a message has no room is shortened; the rest of its row and its neighbors are kept."""
    limits = Limits(message_bytes=8 * 1024)

    parts = sent(block_of([{"a": 1}, {"text": "x" * 10_000}, {"a": 3}]), limits)

    events = [decode(Topic.LOG, part.payload) for part in parts]
    assert all(isinstance(event, LogEvent) for event in events)
    facts = [(event.seq, event.count, event.kind) for event in events if isinstance(event, LogEvent)]
    assert facts == [(5, 1, Kind.DATA), (6, 1, Kind.DATA), (7, 1, Kind.DATA)]
    assert isinstance(events[1], LogEvent)
    (row,) = unpack_rows(events[1])
    assert row["text"].endswith("[shortened from 10000 characters]")


def test_large_values_of_a_row_are_kept_in_files() -> None:
    """A row that its appends make too large together refers to files, always to the same; the rest is unchanged."""
    row = {"a": "x" * 5000, "b": {"c": [0.5] * 300}, "n": 1}
    found = []

    def keep(block: Block, path: Sequence[str], value: object) -> dict[str, Any]:
        file = ValueFile.of_row((bytes(16), block.seq, block.steps[0]), path, value)
        found.append((file.name, file.data))
        return file.reference

    for _ in range(2):
        (message,) = create_messages(block_of([row]), ENVELOPE, Limits(message_bytes=6500), now=77, keep=keep)
    event = decode(Topic.LOG, message.payload)
    assert isinstance(event, LogEvent)
    (sent_row,) = unpack_rows(event)
    (name, data), again = found
    assert again == (name, data)
    assert re.fullmatch(r"media/values/a_100_[0-9a-f]{20}\.txt", name)
    assert data == b"x" * 5000
    assert sent_row == {**row, "a": {"_type": "value-file", "path": name, "size": 5000}}


def test_changes_keep_scope_operation_and_path() -> None:
    """Entries of config and summary arrive unchanged."""
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


def test_malformed_change_is_marked() -> None:
    """A malformed change becomes a marker; its neighbor is kept."""
    parts = sent(block_of([[["config", "set", 7, 1]], [["config", "set", ["a"], 1]]], TopicCode.CONFIG))

    events = [decode(Topic.CONFIG, part.payload) for part in parts]
    kinds = [(event.seq, event.kind) for event in events if isinstance(event, ChangeEvent)]
    assert kinds == [(5, Kind.DROPPED), (6, Kind.DATA)]


def test_missing_records_become_a_marker() -> None:
    """A gap becomes a marker with its numbers and the reason."""
    (message,) = sent(Block(TopicCode.SUMMARY, 0, 3, Position(0, 64), reason="lost", missing=4))

    event = decode(Topic.SUMMARY, message.payload)
    assert isinstance(event, ChangeEvent)
    assert (event.kind, event.seq, event.count, event.reason, event.time) == (Kind.DROPPED, 3, 4, "lost", 77)


@pytest.mark.parametrize("topic", [TopicCode.FILE, TopicCode.ARTIFACT, TopicCode.ALERT])
def test_records_without_required_fields_are_marked(topic: TopicCode) -> None:
    """A record without the fields that its topic requires is marked as dropped, with the reason."""
    (message,) = sent(block_of([{"no": "such field"}], topic))

    event = decode(Topic[topic.name], message.payload)
    assert isinstance(event, FileEvent | ArtifactEvent | AlertEvent)
    assert (event.kind, event.seq, event.count) == (Kind.DROPPED, 5, 1)
    assert event.reason.startswith("cannot be represented in the contract: ValueError: missing fields: ")


def test_shortened_text_has_the_length() -> None:
    """A shortened text with its note has the allowed length; a short one is unchanged."""
    assert [shortened("abc", 3), len(shortened("x" * 500, 100))] == ["abc", 100]


def test_plain_row_is_unchanged() -> None:
    """A row of plain values is unchanged."""
    row = {"a": [1, 2.5, None, True, "x"], "b": {"c": {}}}

    assert plain_row(row, LIMITS) == row


@pytest.mark.parametrize(("run_id", "origin"), [("other", "other"), (None, "run")])
def test_branch_names_the_run_whose_rows_are_inherited(run_id: str | None, origin: str) -> None:
    """A fork names another run of the project, a rewind the run itself."""
    block = Block(TopicCode.LOG, StreamCode.HISTORY, 3, Position(0, 64), [7], [12], [9], [{"run_id": run_id}], 1, 1)
    block.is_branch = True

    (message,) = sent(block)

    event = decode(Topic.LOG, message.payload)
    assert isinstance(event, LogEvent)
    assert (event.kind, event.seq, event.count, message.stop) == (Kind.BRANCH, 3, 1, 4)
    assert event.branch == Branch(run=RunPath(entity="team", project="project", run_id=origin), step=12)
