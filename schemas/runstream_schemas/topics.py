"""Topics, their names and settings, and the partition of a run: the one place that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from runstream_schemas.limits import DEFAULT_LIMITS, Limits

DEFAULT_PREFIX = "runstream"
DEFAULT_PARTITIONS = 8

_DAY_MS = 24 * 60 * 60 * 1000


class Topic(Enum):
    """The eight kinds of event, each a topic of its own."""

    LOG = "log"
    CONFIG = "config"
    SUMMARY = "summary"
    FILE = "file"
    ARTIFACT = "artifact"
    HEARTBEAT = "heartbeat"
    EXIT = "exit"
    ALERT = "alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPath:
    """Names a run: ``entity/project/run_id``."""

    entity: str
    project: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.run_id}"


def topic_name(prefix: str, topic: Topic) -> str:
    """Return the Kafka name of a topic, ``{prefix}.{topic}``."""
    return f"{prefix}.{topic.value}"


def topic_settings(topic: Topic, limits: Limits = DEFAULT_LIMITS) -> Mapping[str, str]:
    """Return the Kafka settings a topic is created with.

    Messages are stored uncompressed, which is where a decompression bomb is stopped (ADR 0002), and stamped with the
    broker's append time, which is the only clock of liveness. Everything but ``heartbeat`` is kept without limit.
    """
    return {
        "cleanup.policy": "delete",
        "compression.type": "uncompressed",
        "max.message.bytes": str(limits.message_bytes),
        "message.timestamp.type": "LogAppendTime",
        "retention.bytes": "-1",
        "retention.ms": str(14 * _DAY_MS) if topic is Topic.HEARTBEAT else "-1",
    }


def partition_of(run: RunPath, partitions: int) -> int:
    """Return the partition of a run, the same in every topic: ``(murmur2(path) & 0x7fffffff) % partitions``.

    The hash is the one of Kafka's own default partitioner, over the UTF-8 bytes of ``entity/project/run_id``.
    """
    return (murmur2(str(run).encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash with Kafka's seed (``org.apache.kafka.common.utils.Utils.murmur2``)."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    value = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        chunk = (int.from_bytes(data[start : start + 4], "little") * multiplier) & mask
        chunk = ((chunk ^ (chunk >> 24)) * multiplier) & mask
        value = ((value * multiplier) & mask) ^ chunk
    if tail := data[whole:]:
        value = ((value ^ int.from_bytes(tail, "little")) * multiplier) & mask
    value = ((value ^ (value >> 13)) * multiplier) & mask
    return value ^ (value >> 15)
