"""What has arrived of a run: the counts reported by its writers, compared with what the consumers have stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from runstream_consumers.api.documents.models import (
    DeliveryReport,
    Loss,
    LostRecords,
    Quarantined,
    TopicDelivery,
    WriterDelivery,
)
from runstream_consumers.liveness.reader import WriterState
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.runtime.postgres.reader import WriterProgress
from runstream_consumers.runtime.registry import topic_owners
from runstream_schemas.events import Role
from runstream_schemas.losses import count_lost
from runstream_schemas.topics import Topic


def delivery_report(
    writers: Sequence[WriterState], progress: Iterable[WriterProgress], quarantined: Iterable[runtime.Quarantined] = ()
) -> DeliveryReport:
    """Return the report on the writers that liveness knows and on those of which records are stored."""
    stored: dict[bytes, dict[Topic, WriterProgress]] = {writer.writer: {} for writer in writers}
    for item in progress:
        if topic_owners().get(item.topic) == item.sink:
            stored.setdefault(item.writer, {})[item.topic] = item
    known = {writer.writer: writer for writer in writers}
    reports = [_writer(id_, known.get(id_), topics) for id_, topics in stored.items()]
    return DeliveryReport(
        complete=bool(reports) and all(report.complete for report in reports),
        arrived=bool(reports) and all(report.arrived for report in reports),
        lost=sum(report.lost for report in reports),
        writers=reports,
        quarantined=[_quarantined(item) for item in quarantined],
    )


def lost_records(progress: Iterable[WriterProgress]) -> list[LostRecords]:
    """Return the lost records of a run by topic and reason, the most first."""
    lost: Counter[tuple[Topic, str]] = Counter()
    for item in progress:
        if topic_owners().get(item.topic) == item.sink:
            lost.update({(item.topic, loss.reason): loss.count for loss in item.losses})
    return [LostRecords(topic=topic.value, reason=reason, count=count) for (topic, reason), count in lost.most_common()]


def _quarantined(item: runtime.Quarantined) -> Quarantined:
    topic = item.topic.rpartition(".")[2]
    return Quarantined(consumer=item.sink, topic=topic, reason=item.reason, messages=item.messages)


def _writer(id_: bytes, state: WriterState | None, progress: Mapping[Topic, WriterProgress]) -> WriterDelivery:
    counts = None if state is None else state.counts
    role = Role.UNKNOWN.value if state is None else state.role
    topics = {
        topic.value: _topic(progress.get(topic), None if counts is None else counts.get(topic.value, 0))
        for topic in topic_owners()
    }
    # Commands have no end.
    arrived = role == Role.COMMAND.value or all(topic.has_arrived for topic in topics.values())
    lost = sum(topic.lost for topic in topics.values())
    return WriterDelivery(
        writer=id_.hex(),
        role=role,
        label="" if state is None else state.label,
        complete=arrived and not lost,
        arrived=arrived,
        lost=lost,
        topics=topics,
    )


def _topic(item: WriterProgress | None, counted: int | None) -> TopicDelivery:
    """Missing are the holes, and the records between the last one that has arrived and the count."""
    following = 0 if item is None else item.next
    holes = [] if item is None else list(item.holes)
    losses = () if item is None else item.losses
    tail = [(following, counted)] if counted is not None and counted > following else []
    lost = count_lost(losses)
    return TopicDelivery(
        stored=following - sum(end - first for first, end in holes) - lost,
        lost=lost,
        losses=[Loss(reason=loss.reason, count=loss.count, ranges=list(loss.spans)) for loss in losses],
        counted=counted,
        missing=holes + tail,
    )
