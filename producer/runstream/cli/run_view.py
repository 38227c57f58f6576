"""A run as it is shown in a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runstream.cli.stored.view import artifact_rows, file_rows, is_media, media_text, run_artifacts, stored_files
from runstream.public_api.frames import flat
from runstream.public_api.run import Run
from runstream.terminal.formatting import format_age, format_clock, format_duration, format_value, parse_time
from runstream.terminal.sparkline import sparkline
from runstream.terminal.terminal import printable
from runstream_schemas.losses import lost_text

_COLORS = {
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "crashed": "red",
    "killed": "yellow",
    "preempting": "yellow",
    "preempted": "yellow",
    "pending": "bright_black",
}
_LOST = "bold red"
_LEVELS = {"INFO": "blue", "WARN": "yellow", "ERROR": "red"}
#: How many alerts are shown, the latest ones.
_ALERTS = 10
#: How many values of the config are shown.
_CONFIG = 30
#: Limits of a curve's width.
_WIDEST, _NARROWEST = 40, 8
#: Width of a number, with the gap before it.
_NUMBER = 12
_SAMPLES = 400
#: States in which more events are expected.
OPEN = ("pending", "running", "preempting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the HTTP API returned about a run."""

    document: dict[str, Any]
    writers: list[dict[str, Any]]
    transitions: list[dict[str, Any]]
    series: list[dict[str, Any]]
    delivery: dict[str, Any]
    alerts: list[dict[str, Any]]
    files: list[dict[str, Any]]
    #: The names of versions by ``logged`` and ``used``.
    artifacts: dict[str, list[str]]

    @property
    def ended(self) -> bool:
        """Whether the run has ended, and nothing more will arrive."""
        return self.document["state"] not in OPEN and has_arrived(self.delivery)

    @classmethod
    def read(cls, run: Run) -> Snapshot:
        """Read a run from the server."""
        return cls(
            document=run.load(force=True),
            writers=run.writers,
            transitions=run.transitions,
            series=run.series(samples=_SAMPLES),
            delivery=run.delivery,
            alerts=run.alerts,
            files=stored_files(run),
            artifacts=run_artifacts(run),
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as one document."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**parts.pop("document"), **parts}


def run_view(snapshot: Snapshot, now: datetime, width: int) -> RenderableType:
    """Return everything about a run for a terminal with ``width`` columns."""
    parts: list[RenderableType] = [_header(snapshot, now), Text(), _transitions(snapshot.transitions)]
    if failures := _failures(snapshot):
        parts += [Text(), *failures]
    if facts := _provenance(snapshot):
        parts += [Text(), facts]
    if series := _series(snapshot):
        parts += [Text(), _metrics(series, width)]
    if rest := _other_values(snapshot):
        parts += [Text(), rest]
    if stored := [*file_rows(snapshot.files), *artifact_rows(snapshot.artifacts)]:
        parts += [Text(), _stored(stored)]
    if snapshot.alerts:
        parts += [Text(), _alerts(snapshot.alerts)]
    return Group(*parts, Text(), _delivery(snapshot.delivery))


def state_text(document: Mapping[str, Any]) -> Text:
    """Return the state in its color, with its qualifiers."""
    text = Text("● " + document["state"], style=_COLORS.get(document["state"], ""))
    if document["qualifiers"]:
        text.append(f" ({', '.join(document['qualifiers'])})", style="dim")
    if lost := document.get("lost"):  # missing from servers before 0.2
        text.append(f" {lost:,} lost", style=_LOST)
    return text


def has_arrived(delivery: dict[str, Any]) -> bool:
    """Return whether nothing more will arrive: every record is stored or lost."""
    return bool(delivery.get("arrived", delivery["complete"]))


def path_text(document: Mapping[str, Any]) -> str:
    """Return ENTITY/PROJECT/ID."""
    return printable(f"{document['entity']}/{document['project']}/{document['id']}")


def summary_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the summary by their paths, without ``_step`` and the like."""
    return {key: value for key, value in flat(document["summary"]).items() if not key.startswith("_")}


def _header(snapshot: Snapshot, now: datetime) -> RenderableType:
    document = snapshot.document
    title = Text.assemble((printable(document["name"]), "bold"), "  ", state_text(document))
    facts = [path_text(document), f"created {format_age(document['created_at'], now)}", _duration(document, now)]
    if offset := document["clock_offset_s"]:
        facts.append(f"clock is {format_duration(abs(offset))} {'ahead' if offset > 0 else 'behind'}")
    if document["tags"]:
        facts.append("tags " + printable(", ".join(document["tags"])))
    totals: Counter[str] = Counter()
    for writer in snapshot.delivery["writers"]:
        totals.update({name: _total(topic) for name, topic in writer["topics"].items()})
    losses = document.get("losses", ())
    lost = [lost_text(item["topic"], item["count"], item["reason"], totals[item["topic"]]) for item in losses]
    return Group(
        title,
        *(Text(printable(f"Lost: {text}"), style=_LOST) for text in lost),
        Text(" · ".join(facts), style="dim"),
        Text(document["url"], style="underline dim"),
    )


def _failures(snapshot: Snapshot) -> list[RenderableType]:
    """Return the exception that ended the run with its traceback, and those of other processes in a line each."""
    run = snapshot.document.get("failure")
    parts: list[RenderableType] = []
    if run is not None:
        lines = (run["traceback"] or _exception(run)).expandtabs().splitlines()
        parts = [_exception_line(run, run), *(Text(printable(line)) for line in lines)]
    for writer in snapshot.writers:
        if (failure := writer.get("failure")) and (run is None or writer["writer"] != run["writer"]):
            parts.append(_exception_line(failure, writer))
    return parts


def _exception_line(failure: dict[str, Any], writer: dict[str, Any]) -> Text:
    source = f"{writer['label'] or writer['role']} {writer['writer'][:6]}"
    return Text.assemble((format_value(_exception(failure)), "bold red"), "  ", (printable(source), "dim"))


def _exception(failure: dict[str, Any]) -> str:
    return f"{failure['type']}: {failure['message']}" if failure["message"] else str(failure["type"])


def duration_seconds(document: Mapping[str, Any], now: datetime) -> float | None:
    """Return the duration of a run: until now while it is open, else until its end; None before it started."""
    first, last = parse_time(document["created_at"]), parse_time(document["ended_at"] or document["updated_at"])
    if first is None or last is None:
        return None
    return ((now if document["state"] in OPEN else last) - first).total_seconds()


def _duration(document: dict[str, Any], now: datetime) -> str:
    seconds = duration_seconds(document, now)
    if seconds is None:
        return "not started"
    return f"{'for' if document['state'] in OPEN else 'took'} {format_duration(seconds)}"


def _transitions(transitions: Sequence[dict[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for item in transitions:
        move = Text.assemble(item["from"] or "-", " → ", (item["to"], _COLORS.get(item["to"], "")))
        table.add_row(format_clock(item["time"]), move, Text(printable(item["reason"] or ""), style="dim"))
    return table


def _series(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the series without the numbers in media, such as the width of an image."""
    media = tuple(f"{key}." for key, value in summary_values(snapshot.document).items() if is_media(value))
    return [item for item in snapshot.series if not item["key"].startswith(media)]


def _metrics(series: Sequence[dict[str, Any]], width: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    several = len({item["writer"] for item in series}) > 1
    names = max(len(item["key"]) for item in series)
    labels = max(len(item["label"]) for item in series) if several else 0
    # Numbers have at most 11 characters; the curve gets the space that names and numbers leave.
    curve = max(_NARROWEST, min(_WIDEST, width - min(names, width // 3) - min(labels, width // 5) - 4 * _NUMBER))
    table.add_column("metric", no_wrap=True, max_width=width // 3)
    if several:
        table.add_column("writer", no_wrap=True, max_width=width // 5)
    table.add_column("", no_wrap=True, min_width=curve)
    for heading in ("min", "max", "last"):
        table.add_column(heading, no_wrap=True, justify="right", min_width=_NUMBER - 2)
    for item in series:
        writer = [Text(printable(item["label"]))] if several else []
        line = Text(sparkline(item["values"], curve), style="cyan")
        table.add_row(Text(printable(item["key"])), *writer, line, *_ends(item["values"]))
    return table


def _provenance(snapshot: Snapshot) -> RenderableType | None:
    """Return where the run comes from and its config."""
    document = snapshot.document
    table = Table(box=None, pad_edge=False, show_header=False)

    def add(title: str, key: str, text: str) -> None:
        table.add_row(Text(title, style="dim"), Text(printable(key)), Text(printable(text)))

    for branch in document.get("branches", ()):
        is_rewind = branch["run"] == "/".join((document["entity"], document["project"], document["id"]))
        origin = "this run" if is_rewind else branch["run"] or "a run of which nothing has arrived"
        add("rewound" if is_rewind else "forked", "from", f"{origin} at step {branch['step']}")
    if resumed := sum(bool(writer.get("continues")) for writer in snapshot.writers):
        add("resumed", "", "once" if resumed == 1 else f"{resumed} times")
    for key, text in _origin(document["metadata"]):
        add("from", key, text)
    config = list(flat(document["config"]).items())
    for key, value in config[:_CONFIG]:
        add("config", key, format_value(value))
    if len(config) > _CONFIG:
        add("config", "…", f"{len(config) - _CONFIG} more: see --json")
    return table if table.row_count else None


def _origin(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what identifies the program and its place; the rest of the metadata is in the JSON."""
    known = {name: metadata.get(name) for name in ("program", "args", "host", "username", "notebook", "gpu")}
    command = [str(known["program"] or ""), *(str(item) for item in known["args"] or ())]
    yield from ((key, text) for key, text in [("command", " ".join(filter(None, command)))] if text)
    where = "@".join(str(item) for item in (known["username"], known["host"]) if item)
    yield from ((key, str(text)) for key, text in (("host", where), ("notebook", known["notebook"])) if text)
    git = metadata.get("git")
    if isinstance(git, dict) and (commit := git.get("commit")):
        parts = [str(commit)[:12], git.get("branch"), git.get("remote"), "with changes" if git.get("dirty") else None]
        yield "git", " ".join(str(part) for part in parts if part)
    for name in ("container", "slurm", "kubernetes"):
        if isinstance(found := metadata.get(name), dict):
            yield name, " ".join(f"{key}={value}" for key, value in found.items())


def _ends(values: Sequence[float]) -> list[str]:
    """Return the smallest, the largest and the last value."""
    numbers = [value for value in values if not math.isnan(value)]
    ends = [format_value(min(numbers)), format_value(max(numbers))] if numbers else ["-", "-"]
    return [*ends, format_value(values[-1]) if values else "-"]


def _other_values(snapshot: Snapshot) -> RenderableType | None:
    """Return the values of the summary without a curve, or that differ from its last point."""
    last = {item["key"]: item["values"][-1] for item in snapshot.series if item["values"]}
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in summary_values(snapshot.document).items():
        if key not in last or format_value(last[key]) != format_value(value):
            media = is_media(value)
            text = printable(media_text(value)) if media else format_value(value)
            table.add_row(Text("media" if media else "summary", style="dim"), Text(printable(key)), Text(text))
    return table if table.row_count else None


def _stored(rows: Sequence[tuple[str, Text]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, text in rows:
        table.add_row(Text(name, style="dim"), text)
    return table


def _alerts(alerts: Sequence[dict[str, Any]]) -> RenderableType:
    """Return the latest alerts, oldest first, with the number of their repeats."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for alert in alerts[-_ALERTS:]:
        title = Text(printable(alert["title"]), style="bold")
        if alert["repeats"]:
            title.append(f" (and {alert['repeats']} more)", style="dim")
        level = Text(alert["level"], style=_LEVELS.get(alert["level"], ""))
        text = Text(format_value(" ".join(alert["text"].split())))
        table.add_row(Text("alert", style="dim"), level, format_clock(alert["time"]), title, text)
    return table


def _delivery(delivery: dict[str, Any]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row(Text("delivery", style="bold"), _verdict(delivery), "")
    for writer in delivery["writers"]:
        name = Text(f"{writer['role']} {printable(writer['label'])}".strip() + f" {writer['writer'][:6]}", style="dim")
        table.add_row(name, Text(", ".join(_topic(*item) for item in writer["topics"].items()), style="dim"), "")
    for item in delivery.get("quarantined", ()):  # missing from servers before 0.2
        what = f"{_messages(item['messages'])} of {item['topic']} for {item['consumer']}: {printable(item['reason'])}"
        table.add_row(Text("quarantine", style="dim"), Text(what, style=_LOST), "")
    return table


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"


def _total(topic: dict[str, Any]) -> int:
    return int(topic["counted"] or topic["stored"] + topic.get("lost", 0))


def _verdict(delivery: dict[str, Any]) -> Text:
    if delivery["complete"]:
        return Text("complete", style="green")
    verdict = Text("" if has_arrived(delivery) else "in flight ", style="yellow")
    if lost := delivery.get("lost"):
        verdict.append(f"lost {lost:,} records" if lost > 1 else "lost 1 record", style=_LOST)
    return verdict


def _topic(name: str, topic: dict[str, Any]) -> str:
    counted = "?" if topic["counted"] is None else str(topic["counted"])
    lost = f" lost {topic['lost']}" if topic.get("lost") else ""
    missing = f" missing {topic['missing']}" if topic["missing"] else ""
    return f"{name} {topic['stored']}/{counted}{lost}{missing}"
