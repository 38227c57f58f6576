"""Runs drawn in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runstream.public_api.frames import flat
from runstream.public_api.run import Run
from runstream.terminal.formatting import ago, clock, duration, moment, printable, show
from runstream.terminal.sparkline import sparkline

_COLOURS = {
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "crashed": "red",
    "killed": "yellow",
    "preempting": "yellow",
    "preempted": "yellow",
    "pending": "bright_black",
}
_LEVELS = {"INFO": "blue", "WARN": "yellow", "ERROR": "red"}
#: Alerts that are shown, the latest.
_ALERTS = 10
#: Characters of a curve.
_WIDEST, _NARROWEST = 40, 8
#: Characters of a number, with the gap before it.
_NUMBER = 12
#: Values of the summary in the list of runs.
_VALUES = 4
#: Columns from which on a terminal has room for the summary beside each run.
_WIDE = 100
_SAMPLES = 400
_OPEN = ("pending", "running", "preempting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is shown of a run at one moment; all of it came through the HTTP API."""

    document: dict[str, Any]
    writers: list[dict[str, Any]]
    transitions: list[dict[str, Any]]
    series: list[dict[str, Any]]
    delivery: dict[str, Any]
    alerts: list[dict[str, Any]]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the run has ended and everything it counted is stored."""
        return self.document["state"] not in _OPEN and bool(self.delivery["complete"])

    def as_json(self) -> dict[str, Any]:
        """Return everything as one document."""
        return {
            **self.document,
            "writers": self.writers,
            "transitions": self.transitions,
            "series": self.series,
            "delivery": self.delivery,
            "alerts": self.alerts,
        }


def take(run: Run) -> Snapshot:
    """Read a run anew."""
    document = run.load(force=True)
    return Snapshot(
        document=document,
        writers=run.writers,
        transitions=run.transitions,
        series=run.series(samples=_SAMPLES),
        delivery=run.delivery,
        alerts=run.alerts,
    )


def runs_table(documents: Sequence[dict[str, Any]], now: datetime, width: int) -> Table:
    """Return a table of run documents; the summary gets what room the rest leaves in a terminal ``width`` wide."""
    is_wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", expand=is_wide)
    table.add_column("state", no_wrap=True)
    table.add_column("run", no_wrap=True, max_width=28 if is_wide else 20)
    table.add_column("path", no_wrap=True)
    table.add_column("created", no_wrap=True)
    table.add_column("steps", no_wrap=True, justify="right")
    if is_wide:
        table.add_column("summary", no_wrap=True, ratio=1)
    for document in documents:
        values = [f"{printable(key)} {show(value)}" for key, value in list(_summary(document).items())[:_VALUES]]
        table.add_row(
            state_text(document),
            Text(printable(document["name"])),
            Text(printable(_path(document))),
            ago(document["created_at"], now),
            "-" if document["last_step"] is None else str(document["last_step"] + 1),
            *([Text("  ".join(values))] if is_wide else []),
        )
    return table


def run_view(snapshot: Snapshot, now: datetime, width: int) -> RenderableType:
    """Return everything about a run: header, transitions, metrics and delivery, for a terminal ``width`` wide."""
    parts: list[RenderableType] = [_header(snapshot, now), Text(), _transitions(snapshot.transitions)]
    if snapshot.series:
        parts += [Text(), _metrics(snapshot, width)]
    if rest := _other_values(snapshot):
        parts += [Text(), rest]
    if snapshot.alerts:
        parts += [Text(), _alerts(snapshot.alerts)]
    return Group(*parts, Text(), _delivery(snapshot.delivery))


def state_text(document: dict[str, Any]) -> Text:
    """Return a state with its qualifiers, coloured."""
    text = Text("● " + document["state"], style=_COLOURS.get(document["state"], ""))
    if document["qualifiers"]:
        text.append(f" ({', '.join(document['qualifiers'])})", style="dim")
    return text


def _header(snapshot: Snapshot, now: datetime) -> RenderableType:
    document = snapshot.document
    title = Text.assemble((printable(document["name"]), "bold"), "  ", state_text(document))
    facts = [printable(_path(document)), f"created {ago(document['created_at'], now)}", _lasted(document, now)]
    if document["tags"]:
        facts.append("tags " + printable(", ".join(document["tags"])))
    return Group(title, Text(" · ".join(facts), style="dim"), Text(document["url"], style="underline dim"))


def _path(document: dict[str, Any]) -> str:
    return f"{document['entity']}/{document['project']}/{document['id']}"


def _lasted(document: dict[str, Any], now: datetime) -> str:
    first, last = moment(document["created_at"]), moment(document["updated_at"])
    if first is None or last is None:
        return "not started"
    if document["state"] in _OPEN:
        return f"for {duration((now - first).total_seconds())}"
    return f"took {duration((last - first).total_seconds())}"


def _transitions(transitions: Sequence[dict[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for item in transitions:
        move = Text.assemble(item["from"] or "-", " → ", (item["to"], _COLOURS.get(item["to"], "")))
        table.add_row(clock(item["time"]), move, Text(printable(item["reason"] or ""), style="dim"))
    return table


def _metrics(snapshot: Snapshot, width: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    several = len({item["writer"] for item in snapshot.series}) > 1
    names = max(len(item["key"]) for item in snapshot.series)
    labels = max(len(item["label"]) for item in snapshot.series) if several else 0
    # Numbers are at most eleven wide; the curve takes what names and numbers leave.
    curve = max(_NARROWEST, min(_WIDEST, width - min(names, width // 3) - min(labels, width // 5) - 4 * _NUMBER))
    table.add_column("metric", no_wrap=True, max_width=width // 3)
    if several:
        table.add_column("writer", no_wrap=True, max_width=width // 5)
    table.add_column("", no_wrap=True, min_width=curve)
    for heading in ("min", "max", "last"):
        table.add_column(heading, no_wrap=True, justify="right", min_width=_NUMBER - 2)
    for item in snapshot.series:
        writer = [Text(printable(item["label"]))] if several else []
        line = Text(sparkline(item["values"], curve), style="cyan")
        table.add_row(Text(printable(item["key"])), *writer, line, *_ends(item["values"]))
    return table


def _ends(values: Sequence[float]) -> list[str]:
    """Return the least, the greatest and the last value."""
    numbers = [value for value in values if not math.isnan(value)]
    ends = [show(min(numbers)), show(max(numbers))] if numbers else ["-", "-"]
    return [*ends, show(values[-1]) if values else "-"]


def _other_values(snapshot: Snapshot) -> RenderableType | None:
    """Return what of the summary has no curve, or differs from its last point."""
    last = {item["key"]: item["values"][-1] for item in snapshot.series if item["values"]}
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in _summary(snapshot.document).items():
        if key not in last or show(last[key]) != show(value):
            table.add_row(Text("summary", style="dim"), Text(printable(key)), Text(show(value)))
    return table if table.row_count else None


def _summary(document: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the summary less those that place its last row."""
    return {key: value for key, value in flat(document["summary"]).items() if not key.startswith("_")}


def _alerts(alerts: Sequence[dict[str, Any]]) -> RenderableType:
    """Return the latest alerts, oldest first, each with how often it came again."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for alert in alerts[-_ALERTS:]:
        title = Text(printable(alert["title"]), style="bold")
        if alert["repeats"]:
            title.append(f" (and {alert['repeats']} more)", style="dim")
        level = Text(alert["level"], style=_LEVELS.get(alert["level"], ""))
        table.add_row(
            Text("alert", style="dim"), level, clock(alert["time"]), title, Text(show(" ".join(alert["text"].split())))
        )
    return table


def _delivery(delivery: dict[str, Any]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    verdict = Text("complete", style="green") if delivery["complete"] else Text("not complete yet", style="yellow")
    table.add_row(Text("delivery", style="bold"), verdict, "")
    for writer in delivery["writers"]:
        name = Text(f"{writer['role']} {printable(writer['label'])}".strip() + f" {writer['writer'][:6]}", style="dim")
        table.add_row(name, Text(", ".join(_topic(*item) for item in writer["topics"].items()), style="dim"), "")
    return table


def _topic(name: str, topic: dict[str, Any]) -> str:
    counted = "?" if topic["counted"] is None else str(topic["counted"])
    missing = f" missing {topic['missing']}" if topic["missing"] else ""
    return f"{name} {topic['stored']}/{counted}{missing}"
