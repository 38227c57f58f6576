"""Reading what a recount compares: journals, Kafka, the HTTP API and Postgres."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.faults.plain_reader import untagged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

TOPICS = ("log", "config", "exit")


@dataclass(frozen=True)
class Message:
    """A message in a topic."""

    topic: str
    partition: int
    offset: int
    value: bytes

    @property
    def position(self) -> tuple[str, int, int]:
        """Return topic, partition and offset."""
        return self.topic, self.partition, self.offset


def read_journal(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of journals. An incomplete last line is skipped."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line, object_hook=untagged)


async def dump(brokers: str, prefix: str, partitions: int, topics: Collection[str] = TOPICS) -> list[Message]:
    """Return all current messages of some topics."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        places = [TopicPartition(f"{prefix}.{topic}", number) for topic in topics for number in range(partitions)]
        consumer.assign(places)
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, starts[place])
        return await _read_until(consumer, {place: end for place, end in ends.items() if end > starts[place]}, prefix)
    finally:
        await consumer.stop()


async def _read_until(consumer: Any, ends: Mapping[TopicPartition, int], prefix: str) -> list[Message]:
    found: list[Message] = []
    open_partitions = dict(ends)
    while open_partitions:
        for place, records in (await consumer.getmany(timeout_ms=1000)).items():
            topic = place.topic.removeprefix(f"{prefix}.")
            found += [Message(topic, place.partition, record.offset, record.value) for record in records]
            if await consumer.position(place) >= open_partitions.get(place, 0):
                open_partitions.pop(place, None)
    return found


def scan(url: str, token: str, run: str) -> list[dict[str, Any]]:
    """Return all history rows of a run (``entity/project/id``) from the HTTP API."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"page_size": "5000", **({"cursor": cursor} if cursor else {})}
        page = get_json(url, token, f"{_path(run)}/scan?{urllib.parse.urlencode(query)}")
        rows += page["rows"]
        cursor = page["next"]
        if cursor is None:
            return rows


def lost_rows(url: str, token: str, run: str) -> dict[str, int]:
    """Return how many rows of each writer of a run the HTTP API reports as lost."""
    writers = get_json(url, token, f"{_path(run)}/delivery")["writers"]
    return {writer["writer"]: writer["topics"]["log"]["lost"] for writer in writers}


def _path(run: str) -> str:
    return "/runs/" + "/".join(urllib.parse.quote(name, safe="") for name in run.split("/"))


def get_json(url: str, token: str, path: str) -> Any:
    """Return the JSON of a GET of the HTTP API."""
    request = urllib.request.Request(f"{url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read(), object_hook=untagged)


async def quarantine(dsn: str, prefix: str) -> frozenset[tuple[str, int, int]]:
    """Return topic, partition and offset of the messages in the quarantine of history."""
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
    try:
        rows = await connection.fetch(
            'select topic, partition, "offset" from runtime.quarantine where sink = $1 and redriven is null', "history"
        )
    finally:
        await connection.close()
    return frozenset((row["topic"].removeprefix(f"{prefix}."), row["partition"], row["offset"]) for row in rows)
