"""The recount: what was accepted, what the topics hold and what readers get, compared row by row.

    python -m tests.faults.recount --journal FILE --url URL --token TOKEN [--postgres DSN]

The journal is written by whoever calls ``log()``: a JSON line for each accepted row, ``{"run", "writer" (its label),
"pid", "row" (0, 1, 2 … of that process), "step", "values"}``, appended after ``log()`` has returned. Nothing here
shares code with the client, the codec or the consumers. The verdict is good when each accepted row is there exactly
once and equal, or its absence has a reason (dropped by policy, in quarantine), and nothing else is there.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import sys
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.faults.plain_reader import Row, Said, read, untagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOPICS = ("log", "config", "exit")
#: More differences than this are counted but not told one by one.
TOLD = 20


@dataclass(frozen=True)
class Message:
    """One message of a topic, as the broker keeps it."""

    topic: str
    partition: int
    offset: int
    value: bytes

    @property
    def place(self) -> tuple[str, int, int]:
        """Return where it lies: topic, partition, offset."""
        return self.topic, self.partition, self.offset


@dataclass
class Verdict:
    """What the recount found; rows, unless said otherwise."""

    #: In the journal.
    accepted: int = 0
    #: Accepted, and read back once and equal.
    materialised: int = 0
    #: Accepted, and not there for a reason: dropped by policy, or in quarantine.
    rejected: int = 0
    #: Came again on the topics, which is allowed, and equal each time, which is asked.
    redelivered: int = 0
    #: Read back more often than once.
    duplicates: int = 0
    #: Published, but the process was killed between ``log()`` and its journal: one a writer at most.
    unjournaled: int = 0
    #: Messages that no reader understands.
    poison: int = 0
    #: Differences without a reason; empty is what is wanted.
    unexplained: list[str] = field(default_factory=list)
    #: How many those are.
    differences: int = 0

    @property
    def good(self) -> bool:
        """Return whether nothing is lost, doubled or unexplained."""
        return not self.differences and not self.duplicates and self.accepted == self.materialised + self.rejected

    def wrong(self, what: str) -> None:
        """Count a difference, and tell it unless there are too many."""
        self.differences += 1
        if len(self.unexplained) < TOLD:
            self.unexplained.append(what)


@dataclass
class _Writer:
    """All that the topics hold of one writer."""

    identifier: str
    label: str = ""
    #: Rows by seq, as they came first, each with its stream and its offset.
    rows: dict[int, tuple[Row, str, int]] = field(default_factory=dict)
    #: Numbers of rows that are missing for a reason: dropped by policy, or in a message in quarantine.
    excused: set[int] = field(default_factory=set)
    final: int | None = None


# --- the judgement: pure


def judge(
    journal: Iterable[Mapping[str, Any]],
    messages: Iterable[Message],
    scanned: Mapping[str, list[dict[str, Any]]],
    quarantined: frozenset[tuple[str, int, int]] = frozenset(),
) -> Verdict:
    """Compare the journal's lines, the topics' messages and the rows readers get of each run.

    Args:
        journal: Lines of the journal, decoded.
        messages: Messages of the topics log, config and exit, each partition's in order of offset.
        scanned: Rows of each run (by its path) as the HTTP API's scan of the history gives them.
        quarantined: Places (topic without prefix, partition, offset) of messages in the quarantine of history.
    """
    verdict = Verdict()
    runs = _gather(messages, verdict, quarantined)
    accepted = _accepted(journal)
    for run, lines in accepted.items():
        writers = runs.get(run, {})
        for writer in writers.values():
            _check_numbers(run, writer, verdict)
        owners = _owners(run, lines, writers, verdict)
        _check_rows(run, lines, owners, verdict)
        _check_scan(run, writers, scanned.get(run, []), verdict)
    verdict.materialised = verdict.accepted - verdict.rejected - _missing(accepted, scanned, verdict)
    return verdict


def _gather(
    messages: Iterable[Message], verdict: Verdict, quarantined: frozenset[tuple[str, int, int]]
) -> dict[str, dict[str, _Writer]]:
    runs: dict[str, dict[str, _Writer]] = defaultdict(dict)
    for message in messages:
        try:
            said = read(message.topic, message.value)
        except Exception as error:  # noqa: BLE001 - whatever makes a message unreadable makes it poison
            verdict.poison += 1
            if message.place not in quarantined:
                verdict.wrong(f"{message.place}: unreadable ({error}) and not in quarantine")
            continue
        writer = runs[said.run].setdefault(said.writer, _Writer(said.writer))
        if message.place in quarantined:
            writer.excused.update(row.seq for row in said.rows)
        else:
            _take(writer, said, message.offset, verdict)
    return runs


def _take(writer: _Writer, said: Said, offset: int, verdict: Verdict) -> None:
    if said.topic == "config":
        writer.label = _label(said) or writer.label
    elif said.topic == "exit":
        counts = {item["topic"]: item["count"] for item in said.fields["counts"]}
        final = counts.get("log", 0)
        if writer.final not in (None, final):
            verdict.wrong(f"{said.run} {said.writer}: exits that count {writer.final} and {final} rows")
        writer.final = final
    elif said.kind == "dropped":
        writer.excused.update(range(said.seq, said.seq + said.count))
    for row in said.rows:
        if row.seq not in writer.rows:
            writer.rows[row.seq] = (row, said.stream, offset)
            continue
        verdict.redelivered += 1
        if _same(asdict(writer.rows[row.seq][0])) != _same(asdict(row)):
            verdict.wrong(f"{said.run} {said.writer}: row {row.seq} came again with other content")


def _label(said: Said) -> str:
    entries = [entry for record in said.fields["records"] for entry in record["entries"]]
    labels = [entry["value"] for entry in entries if (entry["scope"], entry["path"]) == ("attribute", ["label"])]
    return str(json.loads(labels[0]) or "") if labels else ""


def _check_numbers(run: str, writer: _Writer, verdict: Verdict) -> None:
    known = set(writer.rows) | writer.excused
    final = max(known, default=-1) + 1 if writer.final is None else writer.final
    for seq in sorted(set(range(final)) ^ known):
        what = "lost" if seq < final else "beyond the count of the exit"
        verdict.wrong(f"{run} {writer.identifier}: row {seq} {what}")
    orders = [writer.rows[seq][0].order for seq in sorted(writer.rows)]
    if any(later <= earlier for earlier, later in itertools.pairwise(orders)):
        verdict.wrong(f"{run} {writer.identifier}: orders do not ascend")


Lines = dict[tuple[str, int], dict[int, Mapping[str, Any]]]


def _accepted(journal: Iterable[Mapping[str, Any]]) -> dict[str, Lines]:
    """Return the journal's lines by run, process (label, pid) and row."""
    found: dict[str, Lines] = defaultdict(lambda: defaultdict(dict))
    for line in journal:
        found[line["run"]][line["writer"], line["pid"]][line["row"]] = line
    return found


def _owners(run: str, lines: Lines, writers: Mapping[str, _Writer], verdict: Verdict) -> dict[tuple[str, int], _Writer]:
    """Return the writer of each process: the one of its label, or among several the one with its first row."""
    owners: dict[tuple[str, int], _Writer] = {}
    for process, rows in lines.items():
        first = rows[min(rows)]
        fitting = [
            writer
            for writer in writers.values()
            if writer.label == process[0] and any(stream == "history" for _, stream, _ in writer.rows.values())
        ]
        if len(fitting) > 1:
            fitting = [writer for writer in fitting if _holds(writer, first)]
        if len(fitting) == 1:
            owners[process] = fitting[0]
        else:
            verdict.wrong(f"{run}: {len(fitting)} writers for process {process}")
    return owners


def _holds(writer: _Writer, line: Mapping[str, Any]) -> bool:
    found = writer.rows.get(line["row"])
    return found is not None and _same(found[0].values) == _same(line["values"])


def _check_rows(
    run: str,
    lines: Lines,
    owners: Mapping[tuple[str, int], _Writer],
    verdict: Verdict,
) -> None:
    for process, rows in lines.items():
        verdict.accepted += len(rows)
        writer = owners.get(process)
        if writer is None:
            continue
        for number, line in rows.items():
            if number in writer.rows:
                row = writer.rows[number][0]
                if (row.step, _same(row.values)) != (line["step"], _same(line["values"])):
                    verdict.wrong(f"{run} {writer.identifier}: row {number} is not what was logged")
            elif number in writer.excused:
                verdict.rejected += 1
        beyond = [seq for seq, (_, stream, _) in writer.rows.items() if stream == "history" and seq not in rows]
        verdict.unjournaled += len(beyond)
        if beyond and beyond != [max(rows) + 1]:
            verdict.wrong(f"{run} {writer.identifier}: rows {beyond[:3]} were published but never accepted")


def _check_scan(run: str, writers: Mapping[str, _Writer], scanned: list[dict[str, Any]], verdict: Verdict) -> None:
    expected = [
        (row.step, offset, row.order, writer.identifier, _same(row.values))
        for writer in writers.values()
        for row, stream, offset in writer.rows.values()
        if stream == "history"
    ]
    expected.sort(key=lambda item: item[:4])
    wanted = [(step, writer, values) for step, _, _, writer, values in expected]
    found = [(row["_step"], row["_writer"], _same(_logged(row))) for row in scanned]
    if wanted == found:
        return
    surplus, missing = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
    published = set(wanted)
    for (step, writer, values), times in surplus.items():
        if (step, writer, values) in published:
            verdict.duplicates += times
        else:
            verdict.wrong(f"{run} {writer}: readers get a row of step {step} that was never published: {values[:80]}")
    for step, writer, values in missing:
        verdict.wrong(f"{run} {writer}: readers miss the row of step {step}: {values[:80]}")
    if not surplus and not missing:
        verdict.wrong(f"{run}: readers get the rows out of order")


def _missing(accepted: Mapping[str, Lines], scanned: Mapping[str, list[dict[str, Any]]], verdict: Verdict) -> int:
    """Return how many accepted rows readers do not get, less those with a reason."""
    wanted: Counter[tuple[str, int, str]] = Counter()
    for run, lines in accepted.items():
        wanted.update((run, line["step"], _same(line["values"])) for rows in lines.values() for line in rows.values())
    found = Counter((run, row["_step"], _same(_logged(row))) for run, rows in scanned.items() for row in rows)
    missing = (wanted - found).total() - verdict.rejected
    if missing:
        verdict.wrong(f"{missing} accepted rows are not read back")
    return missing


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("_")}


def _same(value: Any) -> str:
    """Return a text that is equal for equal values: by type, NaN equal to NaN, whatever the order of keys."""
    return json.dumps(_comparable(value), sort_keys=True)


def _comparable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    return value


# --- the evidence: journal, Kafka, HTTP, Postgres


def read_journal(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of journals; a torn last line was never acknowledged to anyone and is passed over."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line, object_hook=untagged)


async def dump(brokers: str, prefix: str, partitions: int) -> list[Message]:
    """Return all messages of the topics log, config and exit, from the first on to the end of now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        places = [TopicPartition(f"{prefix}.{topic}", number) for topic in TOPICS for number in range(partitions)]
        consumer.assign(places)
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, starts[place])
        return await _until(consumer, {place: end for place, end in ends.items() if end > starts[place]}, prefix)
    finally:
        await consumer.stop()


async def _until(consumer: Any, ends: Mapping[TopicPartition, int], prefix: str) -> list[Message]:
    found: list[Message] = []
    open_places = dict(ends)
    while open_places:
        for place, records in (await consumer.getmany(timeout_ms=1000)).items():
            topic = place.topic.removeprefix(f"{prefix}.")
            found += [Message(topic, place.partition, record.offset, record.value) for record in records]
            if await consumer.position(place) >= open_places.get(place, 0):
                open_places.pop(place, None)
    return found


def scan(url: str, token: str, run: str) -> list[dict[str, Any]]:
    """Return all history rows of a run (``entity/project/id``) as the HTTP API gives them."""
    path = "/".join(urllib.parse.quote(name, safe="") for name in run.split("/"))
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"page_size": "5000", **({"cursor": cursor} if cursor else {})}
        page = _get(url, token, f"/runs/{path}/scan?{urllib.parse.urlencode(query)}")
        rows += page["rows"]
        cursor = page["next"]
        if cursor is None:
            return rows


def _get(url: str, token: str, path: str) -> Any:
    request = urllib.request.Request(f"{url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read(), object_hook=untagged)


async def quarantine(dsn: str, prefix: str) -> frozenset[tuple[str, int, int]]:
    """Return the places of messages that lie in the quarantine of history."""
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
    try:
        rows = await connection.fetch(
            'select topic, partition, "offset" from runtime.quarantine where sink = $1 and redriven is null', "history"
        )
    finally:
        await connection.close()
    return frozenset((row["topic"].removeprefix(f"{prefix}."), row["partition"], row["offset"]) for row in rows)


def recount(*journals: Path, url: str, token: str, dsn: str | None = None) -> Verdict:
    """Judge a running stack by journals; must not be called from within a running event loop.

    Args:
        journals: Files of accepted rows.
        url: Address of the HTTP API, which also tells the brokers and the prefix.
        token: Bearer token.
        dsn: Postgres, where messages may lie in quarantine; without it, none is expected to.
    """
    lines = list(read_journal(*journals))
    cluster = _get(url, token, "/connect")
    prefix = cluster["prefix"]
    messages = asyncio.run(dump(cluster["brokers"], prefix, cluster["partitions"]))
    runs = {line["run"] for line in lines}
    aside = asyncio.run(quarantine(dsn, prefix)) if dsn else frozenset()
    return judge(lines, messages, {run: scan(url, token, run) for run in sorted(runs)}, aside)


def main() -> int:
    """Print the verdict as JSON; exit 0 if it is good."""
    parser = argparse.ArgumentParser(description="Recount accepted rows against the topics and the HTTP API.")
    parser.add_argument("--journal", type=Path, nargs="+", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--postgres", help="DSN, where messages may lie in quarantine")
    arguments = parser.parse_args()
    verdict = recount(*arguments.journal, url=arguments.url, token=arguments.token, dsn=arguments.postgres)
    sys.stdout.write(json.dumps({**asdict(verdict), "good": verdict.good}, indent=1) + "\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
