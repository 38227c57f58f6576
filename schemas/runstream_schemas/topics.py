"""Names and settings of topics, and the partitions of runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PREFIX = "runstream"
DEFAULT_PARTITIONS = 8
#: The project of runs without one.
DEFAULT_PROJECT = "Uncategorized"

#: Slashes, control characters and lone surrogates; names that are one or two dots.
_INVALID_NAME = re.compile(r"[/\x00-\x1f\x7f-\x9f\ud800-\udfff]|^\.{1,2}$")
_DAY_MS = 24 * 60 * 60 * 1000


class Topic(Symbol):
    """The topics; each has one type of event."""

    LOG = "log"
    CONFIG = "config"
    SUMMARY = "summary"
    FILE = "file"
    ARTIFACT = "artifact"
    HEARTBEAT = "heartbeat"
    EXIT = "exit"
    ALERT = "alert"
    STATE = "state"


class RunPath(NamedTuple):
    """The path of a run: ``entity/project/run_id``. A tuple, which is made and hashed fast."""

    entity: str
    project: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.run_id}"


def canonical_project(project: str) -> str:
    """Return the published name of a project, in which the case of the default project's name is normalized."""
    return DEFAULT_PROJECT if project.lower() == DEFAULT_PROJECT.lower() else project


def topic_name(prefix: str, topic: Topic) -> str:
    """Return the Kafka name of a topic, ``{prefix}.{topic}``."""
    return f"{prefix}.{topic.value}"


def topic_settings(topic: Topic, limits: Limits = DEFAULT_LIMITS) -> Mapping[str, str]:
    """Return the Kafka settings with which a topic is created.

    Messages are stored uncompressed, which prevents decompression bombs (ADR 0002), and have the broker's append time,
    which is the only clock of liveness. All topics except ``heartbeat`` have unlimited retention.
    """
    return {
        "cleanup.policy": "delete",
        "compression.type": "uncompressed",
        "max.message.bytes": str(limits.message_bytes),
        "message.timestamp.type": "LogAppendTime",
        "retention.bytes": "-1",
        "retention.ms": str(14 * _DAY_MS) if topic is Topic.HEARTBEAT else "-1",
    }


def message_key(run: RunPath) -> bytes:
    """Return the Kafka key of a run's messages: ``entity/project/run_id`` in UTF-8."""
    return str(run).encode()


def is_name(text: str, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Return whether a text is valid as the name of an entity, a project or a run.

    A name has 1 to ``limits.name_length`` characters without slashes and control characters, and is neither ``.`` nor
    ``..``, so that the three names, joined by slashes, are a valid path in every URL.
    """
    return 0 < len(text) <= limits.name_length and _INVALID_NAME.search(text) is None


def partition_of(run: RunPath, partitions: int) -> int:
    """Return the partition of a run, the same in every topic: ``(murmur2(path) & 0x7fffffff) % partitions``.

    The hash is that of Kafka's default partitioner, over ``entity/project/run_id`` in UTF-8.
    """
    return (murmur2(message_key(run)) & 0x7FFFFFFF) % partitions


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
