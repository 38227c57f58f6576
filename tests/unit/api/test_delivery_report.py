"""The delivery report: counts of the writers compared with what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.api.documents.delivery_report import delivery_report, lost_records
from runstream_consumers.api.documents.models import TopicDelivery
from runstream_consumers.liveness.reader import WriterState
from runstream_consumers.runtime.postgres.reader import WriterProgress
from runstream_schemas.events import Role
from runstream_schemas.losses import Loss, Losses
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
    sink: str,
    topic: Topic,
    following: int,
    holes: tuple[tuple[int, int], ...] = (),
    *,
    writer: bytes = _ONE,
    losses: Losses = (),
) -> WriterProgress:
    return WriterProgress(sink=sink, writer=writer, topic=topic, next=following, holes=list(holes), losses=losses)


_ALL = [
    _progress("history", Topic.LOG, 10),
    _progress("summary", Topic.CONFIG, 1),
    _progress("liveness", Topic.EXIT, 1),
]
_COUNTS = {Topic.LOG: 10, Topic.CONFIG: 1, Topic.SUMMARY: 0, Topic.EXIT: 1}


def test_run_is_complete_if_all_counted_records_are_stored() -> None:
    """A run is complete once every counted record is stored by the consumer that owns its topic."""
    assert delivery_report([_state(_ONE, _COUNTS)], _ALL).complete


def test_run_without_writers_is_not_complete() -> None:
    """A run of which nothing is known is not reported as complete."""
    assert not delivery_report([], []).complete


def test_running_writer_is_not_complete() -> None:
    """Without the counts of an exit a writer is not complete."""
    found = delivery_report([_state(_ONE, None)], _ALL)
    assert not found.complete
    assert TopicDelivery(stored=10, counted=None, missing=[]) == found.writers[0].topics["log"]


def test_records_after_the_last_stored_one_are_missing() -> None:
    """The range between the last stored record and the count is missing."""
    found = delivery_report([_state(_ONE, {**_COUNTS, Topic.LOG: 15})], _ALL)
    assert not found.complete
    assert found.writers[0].topics["log"].missing == [(10, 15)]


def test_hole_is_missing_and_not_stored() -> None:
    """A record that was skipped is missing even if later ones are stored."""
    progress = [_progress("history", Topic.LOG, 10, ((3, 5),)), *_ALL[1:]]
    found = delivery_report([_state(_ONE, _COUNTS)], progress)
    assert not found.complete
    assert TopicDelivery(stored=8, counted=10, missing=[(3, 5)]) == found.writers[0].topics["log"]


def test_only_the_owner_of_a_topic_counts() -> None:
    """Rows that another consumer than the topic's owner has applied are not stored."""
    others = [_progress("summary", Topic.LOG, 10), _progress("stranger", Topic.LOG, 10), *_ALL[1:]]
    assert delivery_report([_state(_ONE, _COUNTS)], others).writers[0].topics["log"].stored == 0


def test_every_writer_must_be_complete() -> None:
    """A run is incomplete while one of its writers is."""
    assert not delivery_report([_state(_ONE, _COUNTS), _state(_TWO, _COUNTS)], _ALL).complete


def test_commands_do_not_affect_completeness() -> None:
    """A command has no end and does not keep the run incomplete."""
    assert delivery_report([_state(_ONE, _COUNTS), _state(_TWO, None, role=Role.COMMAND)], _ALL).complete


def test_writer_known_only_by_its_records_is_reported() -> None:
    """Records of a writer that liveness does not know are reported and make the run incomplete."""
    found = delivery_report([_state(_ONE, _COUNTS)], [*_ALL, _progress("history", Topic.LOG, 4, writer=_TWO)])
    assert not found.complete
    assert [writer.role for writer in found.writers] == ["primary", "unknown"]


_LOST = (Loss("the disk was full", 3, ((2, 4), (6, 7))), Loss("the spool is damaged here", 1, ((9, 10),)))


def test_lost_records_are_not_stored() -> None:
    """A run that lost records has arrived and is not complete; stored and lost records add up to those counted."""
    progress = [_progress("history", Topic.LOG, 10, losses=_LOST), *_ALL[1:]]
    found = delivery_report([_state(_ONE, _COUNTS)], progress)
    topic = found.writers[0].topics["log"]

    assert (found.complete, found.arrived, found.lost) == (False, True, 4)
    assert (topic.stored, topic.lost, topic.counted, topic.missing) == (6, 4, 10, [])
    assert [(loss.reason, loss.count, loss.ranges) for loss in topic.losses] == [
        ("the disk was full", 3, [(2, 4), (6, 7)]),
        ("the spool is damaged here", 1, [(9, 10)]),
    ]


def test_a_run_with_missing_records_has_not_arrived() -> None:
    """Lost records do not replace missing ones."""
    progress = [_progress("history", Topic.LOG, 10, ((0, 1),), losses=_LOST), *_ALL[1:]]
    assert not delivery_report([_state(_ONE, _COUNTS)], progress).arrived


def test_lost_records_of_a_run_are_added_up_by_topic_and_reason() -> None:
    """The lost records of all writers are counted by topic and reason, and only by the topic's owner."""
    lost = [
        _progress(sink, Topic.LOG, 10, writer=by, losses=_LOST)
        for sink in ("history", "summary")
        for by in (_ONE, _TWO)
    ]
    assert [(item.topic, item.reason, item.count) for item in lost_records(lost)] == [
        ("log", "the disk was full", 6),
        ("log", "the spool is damaged here", 2),
    ]


def test_json_has_hexadecimal_writers_and_ranges() -> None:
    """In JSON, writers are hexadecimal and missing ranges are half-open."""
    answer = delivery_report([_state(_ONE, {**_COUNTS, Topic.LOG: 11})], _ALL).model_dump(mode="json")
    expected = {"stored": 10, "lost": 0, "losses": [], "counted": 11, "missing": [[10, 11]]}
    assert answer["complete"] is False
    assert answer["writers"][0]["writer"] == "01" * 16
    assert expected == answer["writers"][0]["topics"]["log"]
