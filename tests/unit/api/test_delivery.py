"""Counts of the writers joined with what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.api.documents.delivery import TopicDelivery, as_json, delivery
from runstream_consumers.liveness.reader import WriterState
from runstream_consumers.runtime.postgres.reader import WriterProgress
from runstream_schemas.events import Role
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONE, _TWO = b"\x01" * 16, b"\x02" * 16


def _state(writer: bytes, counts: Mapping[Topic, int] | None, role: Role = Role.PRIMARY) -> WriterState:
    return WriterState(
        writer=writer,
        role=role.value,
        state="finished" if counts is not None else "running",
        qualifiers=[],
        last_time=1_000_000,
        host="node",
        label="rank 0",
        exit_code=0,
        signal=0,
        reason="",
        counts=None if counts is None else {topic.value: count for topic, count in counts.items()},
    )


def _progress(
    sink: str, topic: Topic, following: int, holes: tuple[tuple[int, int], ...] = (), writer: bytes = _ONE
) -> WriterProgress:
    return WriterProgress(sink=sink, writer=writer, topic=topic, next=following, holes=list(holes))


_ALL = [
    _progress("history", Topic.LOG, 10),
    _progress("summary", Topic.CONFIG, 1),
    _progress("liveness", Topic.EXIT, 1),
]
_COUNTS = {Topic.LOG: 10, Topic.CONFIG: 1, Topic.SUMMARY: 0, Topic.EXIT: 1}


def test_a_run_is_complete_when_all_that_was_counted_is_stored() -> None:
    """Every record of the exit's counts is stored by the consumer that owns its topic."""
    assert delivery([_state(_ONE, _COUNTS)], _ALL).complete


def test_a_run_without_writers_is_not_complete() -> None:
    """Nothing known is not the same as nothing missing."""
    assert not delivery([], []).complete


def test_an_open_writer_is_never_complete() -> None:
    """Without an exit nobody knows how much there is."""
    found = delivery([_state(_ONE, None)], _ALL)
    assert not found.complete
    assert TopicDelivery(stored=10, counted=None, missing=()) == found.writers[0].topics[Topic.LOG]


def test_what_lies_behind_the_last_stored_record_is_missing() -> None:
    """The records between the last stored and the count are named."""
    found = delivery([_state(_ONE, {**_COUNTS, Topic.LOG: 15})], _ALL)
    assert not found.complete
    assert found.writers[0].topics[Topic.LOG].missing == ((10, 15),)


def test_a_hole_is_missing_and_not_counted_as_stored() -> None:
    """A record that was passed over is named, even where later ones are stored."""
    progress = [_progress("history", Topic.LOG, 10, ((3, 5),)), *_ALL[1:]]
    found = delivery([_state(_ONE, _COUNTS)], progress)
    assert not found.complete
    assert TopicDelivery(stored=8, counted=10, missing=((3, 5),)) == found.writers[0].topics[Topic.LOG]


def test_only_the_consumer_that_stores_a_topic_is_asked() -> None:
    """That the summary has folded the rows says nothing about the history."""
    others = [_progress("summary", Topic.LOG, 10), _progress("stranger", Topic.LOG, 10), *_ALL[1:]]
    assert delivery([_state(_ONE, _COUNTS)], others).writers[0].topics[Topic.LOG].stored == 0


def test_every_writer_has_to_be_complete() -> None:
    """One rank that is still missing keeps the run incomplete."""
    assert not delivery([_state(_ONE, _COUNTS), _state(_TWO, _COUNTS)], _ALL).complete


def test_commands_are_not_waited_for() -> None:
    """A command never ends, and holds nothing up."""
    assert delivery([_state(_ONE, _COUNTS), _state(_TWO, None, role=Role.COMMAND)], _ALL).complete


def test_a_writer_known_by_its_records_alone_is_shown() -> None:
    """Records whose writer liveness has not heard of make the run incomplete, and are shown."""
    found = delivery([_state(_ONE, _COUNTS)], [*_ALL, _progress("history", Topic.LOG, 4, writer=_TWO)])
    assert not found.complete
    assert [writer.role for writer in found.writers] == ["primary", "unknown"]


def test_the_answer_names_topics_and_gaps_plainly() -> None:
    """The JSON form has the writer in hexadecimal and half-open ranges."""
    answer = as_json(delivery([_state(_ONE, {**_COUNTS, Topic.LOG: 11})], _ALL))
    expected = {"stored": 10, "counted": 11, "missing": [[10, 11]]}
    assert answer["complete"] is False
    assert answer["writers"][0]["writer"] == "01" * 16
    assert expected == answer["writers"][0]["topics"]["log"]
