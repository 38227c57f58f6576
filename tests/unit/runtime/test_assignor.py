"""The assignor of the installed aiokafka."""

from __future__ import annotations

from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from runstream_consumers.runtime.kafka.client import range_assignor


def test_a_partition_number_of_all_topics_has_one_owner() -> None:
    """The range assignor assigns the same partition numbers of all topics to a member, whatever their names."""
    topics = ["runstream.config", "runstream.exit", "runstream.log"]
    cluster = ClusterMetadata()
    cluster.partitions_for_topic = lambda _topic: set(range(8))
    members = {f"member{number}": ConsumerProtocolMemberMetadata(0, topics, b"") for number in range(3)}
    assignor: Any = range_assignor()
    owned = [assigned.assignment for assigned in assignor.assign(cluster, members).values()]
    numbers = [{topic: frozenset(partitions) for topic, partitions in member} for member in owned]
    assert all(len(set(by_topic.values())) == 1 and len(by_topic) == 3 for by_topic in numbers)
    assert sorted(number for by_topic in numbers for number in by_topic["runstream.log"]) == list(range(8))
