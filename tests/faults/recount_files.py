"""The recount of files: compares saved files, the messages of topic file, and the bytes in the object store.

The journal is written by the program that saves files: a JSON line for each, ``{"run", "path", "sha256", "size"}``. As
the recount of rows, it shares no code with the client, the codec or the consumers. It reads the object store of a local
stack as files.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.faults.plain_reader import DecodedMessage, read
from tests.faults.recount_sources import dump, get_json, read_journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass
class FileVerdict:
    """The result of a recount of files."""

    #: Files in the journals.
    accepted: int = 0
    #: Those whose last event names an object with the same bytes.
    stored: int = 0
    #: Records that are in the topic again, which is allowed if they are equal.
    redelivered: int = 0
    #: Descriptions of what is wrong.
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Return whether no file is lost, altered or unexplained."""
        return self.accepted == self.stored and not self.problems


def recount_files(*journals: Path, url: str, token: str, store: Path) -> FileVerdict:
    """Compare a running local stack with journals. Must not be called in a running event loop.

    ``store`` is the folder of the stack's object store with its buckets.
    """
    cluster = get_json(url, token, "/connect")
    topics = ("file", "exit")
    messages = asyncio.run(dump(cluster["brokers"], cluster["prefix"], cluster["partitions"], topics))
    return compare(read_journal(*journals), (read(one.topic, one.value) for one in messages), store)


def compare(journal: Iterable[Mapping[str, Any]], messages: Iterable[DecodedMessage], store: Path) -> FileVerdict:
    """Compare journal, messages and stored objects."""
    verdict = FileVerdict()
    expected = {(_run_id(line["run"]), line["path"]): line for line in journal}
    verdict.accepted = len(expected)
    runs = {run for run, _ in expected}
    last = _last_events([one for one in messages if _run_id(one.run) in runs], verdict)
    for key, line in expected.items():
        problem = _problem(line, last.get(key), store)
        verdict.stored += not problem
        if problem:
            verdict.problems.append(f"{key}: {problem}")
    return verdict


def _last_events(messages: Iterable[DecodedMessage], verdict: FileVerdict) -> dict[tuple[str, str], DecodedMessage]:
    """Return the last event of each path, and check that each writer's records are all there and the same.

    A record may name several files.
    """
    last: dict[tuple[str, str], DecodedMessage] = {}
    seen: dict[str, dict[int, Any]] = defaultdict(dict)
    counts: Counter[str] = Counter()
    for message in messages:
        if message.topic == "exit":
            counts[message.writer] = {item["topic"]: item["count"] for item in message.fields["counts"]}.get("file", 0)
            continue
        named = message.fields.get("files") or [message.fields]
        content = (message.kind, [(one["path"], one["sha256"], one["object_key"]) for one in named])
        if (earlier := seen[message.writer].get(message.seq)) is not None:
            verdict.redelivered += 1
            if earlier != content:
                verdict.problems.append(f"{message.writer}: record {message.seq} is there again with other content")
            continue
        seen[message.writer][message.seq] = content
        for one in named:
            kind = "dropped" if one.get("reason") else message.kind
            last[_run_id(message.run), one["path"]] = replace(message, kind=kind, fields=one)
    for writer, count in counts.items():
        if sorted(seen[writer]) != list(range(count)):
            verdict.problems.append(f"{writer}: {len(seen[writer])} of {count} records are in the topic")
    return last


def _run_id(path: str) -> str:
    """Return the id in the path of a run, which lacks the entity until the process knows it."""
    return path.rpartition("/")[2]


def _problem(line: Mapping[str, Any], message: DecodedMessage | None, store: Path) -> str:
    if message is None:
        return "no event"
    if message.kind != "data":
        return f"lost: {message.fields.get('reason')}"
    found = message.fields["sha256"].hex(), message.fields["size"]
    if found != (line["sha256"], line["size"]):
        return f"the event has SHA-256 and size {found}"
    objects = list(store.glob(f"*/{message.fields['object_key']}"))
    if len(objects) != 1:
        return f"{len(objects)} objects"
    with objects[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if digest == line["sha256"] else f"the object has SHA-256 {digest}"
