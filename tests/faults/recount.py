"""The recount: compares accepted rows, the messages of the topics, and the rows that readers get.

    python -m tests.faults.recount --journal FILE --url URL --token TOKEN [--postgres DSN]

The journal is written by the program that calls ``log()``: a JSON line for each accepted row, ``{"run", "writer" (its
label), "pid", "row" (0, 1, 2 … of that process), "step", "values"}``, appended after ``log()`` has returned. This
module shares no code with the client, the codec or the consumers. The verdict is good if each accepted row is stored
exactly once and equal, or is missing for a known reason (dropped by policy, in quarantine), without other rows.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.plain_reader import DecodedMessage, Row, read
from tests.faults.recount_sources import Message, dump, get_json, lost_rows, quarantine, read_journal, scan

if TYPE_CHECKING:
    from collections.abc import Iterable

#: How many differences are described; more are only counted.
MAX_DESCRIBED = 20


@dataclass
class Verdict:
    """The result of a recount; numbers of rows unless stated otherwise."""

    #: Rows in the journal.
    accepted: int = 0
    #: Accepted rows that readers get once and equal.
    stored: int = 0
    #: Accepted rows that are missing for a reason: dropped by policy, or in quarantine.
    rejected: int = 0
    #: Rows of all streams that markers in the topics account for.
    lost: int = 0
    #: Rows that are in the topics again, which is allowed if they are equal.
    redelivered: int = 0
    #: Rows that readers get more than once.
    duplicates: int = 0
    #: Published rows of a process that was killed before it wrote the journal; at most one for each writer.
    unjournaled: int = 0
    #: Messages that cannot be decoded.
    poison: int = 0
    #: Descriptions of differences without a reason.
    unexplained: list[str] = field(default_factory=list)
    #: The number of differences.
    differences: int = 0

    @property
    def good(self) -> bool:
        """Return whether no rows are lost, duplicated or unexplained."""
        return not self.differences and not self.duplicates and self.accepted == self.stored + self.rejected

    def report(self, what: str) -> None:
        """Count a difference, and describe it unless there are too many."""
        self.differences += 1
        if len(self.unexplained) < MAX_DESCRIBED:
            self.unexplained.append(what)


@dataclass
class _Writer:
    """The content of the topics for one writer."""

    identifier: str
    label: str = ""
    #: The first copy of each row by its sequence number, with its stream and offset.
    rows: dict[int, tuple[Row, str, int]] = field(default_factory=dict)
    #: Sequence numbers of rows that a marker accounts for, and of rows in a message in quarantine.
    marked: set[int] = field(default_factory=set)
    quarantined: set[int] = field(default_factory=set)
    final: int | None = None

    @property
    def excused(self) -> set[int]:
        """Sequence numbers of rows that are missing for a reason."""
        return self.marked | self.quarantined


def compare(
    journal: Iterable[Mapping[str, Any]],
    messages: Iterable[Message],
    scanned: Mapping[str, list[dict[str, Any]]],
    quarantined: frozenset[tuple[str, int, int]] = frozenset(),
    lost: Mapping[str, Mapping[str, int]] | None = None,
) -> Verdict:
    """Compare the journal, the messages of the topics, and the rows that readers get of each run.

    Args:
        journal: Lines of the journal, decoded.
        messages: Messages of the topics log, config and exit, in order of offset within a partition.
        scanned: Rows from the HTTP API's history scan, by the path of the run.
        quarantined: Topic without prefix, partition and offset of messages in the quarantine of history.
        lost: Numbers of rows that the HTTP API reports as lost, by run and writer; None to not compare them.
    """
    verdict = Verdict()
    runs = _decode(messages, verdict, quarantined)
    accepted = _index(journal)
    for run, lines in accepted.items():
        writers = runs.get(run, {})
        for writer in writers.values():
            _check_numbers(run, writer, verdict)
            verdict.lost += len(writer.marked)
            reported = None if lost is None else lost.get(run, {}).get(writer.identifier, 0)
            if reported not in (None, len(writer.marked)):
                verdict.report(f"{run} {writer.identifier}: {len(writer.marked)} rows are lost, {reported} reported")
        owners = _owners(run, lines, writers, verdict)
        _check_rows(run, lines, owners, verdict)
        _check_scan(run, writers, scanned.get(run, []), verdict)
    verdict.stored = verdict.accepted - verdict.rejected - _missing(accepted, scanned, verdict)
    return verdict


def _decode(
    messages: Iterable[Message], verdict: Verdict, quarantined: frozenset[tuple[str, int, int]]
) -> dict[str, dict[str, _Writer]]:
    runs: dict[str, dict[str, _Writer]] = defaultdict(dict)
    for message in messages:
        try:
            decoded = read(message.topic, message.value)
        except Exception as error:  # noqa: BLE001 - invalid messages may raise any error
            verdict.poison += 1
            if message.position not in quarantined:
                verdict.report(f"{message.position}: unreadable ({error}) and not in quarantine")
            continue
        writer = runs[decoded.run].setdefault(decoded.writer, _Writer(decoded.writer))
        if message.position in quarantined:
            writer.quarantined.update(row.seq for row in decoded.rows)
        else:
            _add(writer, decoded, message.offset, verdict)
    return runs


def _add(writer: _Writer, message: DecodedMessage, offset: int, verdict: Verdict) -> None:
    if message.topic == "config":
        writer.label = _label(message) or writer.label
    elif message.topic == "exit":
        counts = {item["topic"]: item["count"] for item in message.fields["counts"]}
        final = counts.get("log", 0)
        if writer.final not in (None, final):
            verdict.report(f"{message.run} {message.writer}: exits with counts of {writer.final} and {final} rows")
        writer.final = final
    elif message.kind == "dropped":
        writer.marked.update(set(range(message.seq, message.seq + message.count)) - writer.rows.keys())
    for row in message.rows:
        if row.seq not in writer.rows:
            writer.rows[row.seq] = (row, message.stream, offset)
            continue
        verdict.redelivered += 1
        if _to_text(asdict(writer.rows[row.seq][0])) != _to_text(asdict(row)):
            verdict.report(f"{message.run} {message.writer}: row {row.seq} was published again with other content")


def _label(message: DecodedMessage) -> str:
    entries = [entry for record in message.fields["records"] for entry in record["entries"]]
    labels = [entry["value"] for entry in entries if (entry["scope"], entry["path"]) == ("attribute", ["label"])]
    return str(json.loads(labels[0]) or "") if labels else ""


def _check_numbers(run: str, writer: _Writer, verdict: Verdict) -> None:
    known = set(writer.rows) | writer.excused
    final = max(known, default=-1) + 1 if writer.final is None else writer.final
    for seq in sorted(set(range(final)) ^ known):
        what = "lost" if seq < final else "above the count of the exit"
        verdict.report(f"{run} {writer.identifier}: row {seq} {what}")
    orders = [writer.rows[seq][0].order for seq in sorted(writer.rows)]
    if any(later <= earlier for earlier, later in itertools.pairwise(orders)):
        verdict.report(f"{run} {writer.identifier}: orders are not ascending")


Lines = dict[tuple[str, int], dict[int, Mapping[str, Any]]]


def _index(journal: Iterable[Mapping[str, Any]]) -> dict[str, Lines]:
    """Return the lines of the journal by run, process (label, pid) and row."""
    found: dict[str, Lines] = defaultdict(lambda: defaultdict(dict))
    for line in journal:
        found[line["run"]][line["writer"], line["pid"]][line["row"]] = line
    return found


def _owners(run: str, lines: Lines, writers: Mapping[str, _Writer], verdict: Verdict) -> dict[tuple[str, int], _Writer]:
    """Return the writer of each process: the one with its label, and its first row if there are several."""
    owners: dict[tuple[str, int], _Writer] = {}
    for process, rows in lines.items():
        first = rows[min(rows)]
        candidates = [
            writer
            for writer in writers.values()
            if writer.label == process[0] and any(stream == "history" for _, stream, _ in writer.rows.values())
        ]
        if len(candidates) > 1:
            candidates = [writer for writer in candidates if _holds(writer, first)]
        if len(candidates) == 1:
            owners[process] = candidates[0]
        else:
            verdict.report(f"{run}: {len(candidates)} writers for process {process}")
    return owners


def _holds(writer: _Writer, line: Mapping[str, Any]) -> bool:
    found = writer.rows.get(line["row"])
    return found is not None and _to_text(found[0].values) == _to_text(line["values"])


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
                if (row.step, _to_text(row.values)) != (line["step"], _to_text(line["values"])):
                    verdict.report(f"{run} {writer.identifier}: row {number} differs from the logged row")
            elif number in writer.excused:
                verdict.rejected += 1
        beyond = [seq for seq, (_, stream, _) in writer.rows.items() if stream == "history" and seq not in rows]
        verdict.unjournaled += len(beyond)
        if beyond and beyond != [max(rows) + 1]:
            verdict.report(f"{run} {writer.identifier}: rows {beyond[:3]} were published but not accepted")


def _check_scan(run: str, writers: Mapping[str, _Writer], scanned: list[dict[str, Any]], verdict: Verdict) -> None:
    expected = [
        (row.step, offset, row.order, writer.identifier, _to_text(row.values))
        for writer in writers.values()
        for row, stream, offset in writer.rows.values()
        if stream == "history"
    ]
    expected.sort(key=lambda item: item[:4])
    wanted = [(step, writer, values) for step, _, _, writer, values in expected]
    found = [(row["_step"], row["_writer"], _to_text(_logged(row))) for row in scanned]
    if wanted == found:
        return
    surplus, missing = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
    published = set(wanted)
    for (step, writer, values), times in surplus.items():
        if (step, writer, values) in published:
            verdict.duplicates += times
        else:
            verdict.report(f"{run} {writer}: a row of step {step} was not published: {values[:80]}")
    for step, writer, values in missing:
        verdict.report(f"{run} {writer}: readers do not get the row of step {step}: {values[:80]}")
    if not surplus and not missing:
        verdict.report(f"{run}: readers get the rows in the wrong order")


def _missing(accepted: Mapping[str, Lines], scanned: Mapping[str, list[dict[str, Any]]], verdict: Verdict) -> int:
    """Return how many accepted rows readers do not get without a reason."""
    wanted: Counter[tuple[str, int, str]] = Counter()
    for run, lines in accepted.items():
        for rows in lines.values():
            wanted.update((run, line["step"], _to_text(line["values"])) for line in rows.values())
    found = Counter((run, row["_step"], _to_text(_logged(row))) for run, rows in scanned.items() for row in rows)
    missing = (wanted - found).total() - verdict.rejected
    if missing:
        verdict.report(f"{missing} accepted rows are not returned to readers")
    return missing


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("_")}


def _to_text(value: Any) -> str:
    """Return a text that is equal for equal values of the same type. NaN equals NaN; the order of keys is ignored."""
    return json.dumps(_comparable(value), sort_keys=True)


def _comparable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    return value


def recount(*journals: Path, url: str, token: str, dsn: str | None = None) -> Verdict:
    """Compare a running stack with journals. Must not be called in a running event loop.

    Args:
        journals: Files of accepted rows.
        url: The HTTP API, which also provides the brokers and the prefix.
        token: Bearer token.
        dsn: Postgres, to read the quarantine; without it, no message may be in quarantine.
    """
    lines = list(read_journal(*journals))
    cluster = get_json(url, token, "/connect")
    prefix = cluster["prefix"]
    messages = asyncio.run(dump(cluster["brokers"], prefix, cluster["partitions"]))
    runs = {line["run"] for line in lines}
    quarantined = asyncio.run(quarantine(dsn, prefix)) if dsn else frozenset()
    lost = {run: lost_rows(url, token, run) for run in runs}
    return compare(lines, messages, {run: scan(url, token, run) for run in sorted(runs)}, quarantined, lost)


def main() -> int:
    """Print the verdict as JSON; return 0 if it is good."""
    parser = argparse.ArgumentParser(description="Recount accepted rows against the topics and the HTTP API.")
    parser.add_argument("--journal", type=Path, nargs="+", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--postgres", help="DSN, to read the quarantine")
    arguments = parser.parse_args()
    verdict = recount(*arguments.journal, url=arguments.url, token=arguments.token, dsn=arguments.postgres)
    sys.stdout.write(json.dumps({**asdict(verdict), "good": verdict.good}, indent=1) + "\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
