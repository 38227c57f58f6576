"""Runs drawn in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runstream.cli.format import ago, clock, duration, moment, printable, show
from runstream.cli.sparkline import sparkline
from runstream.reading.frames import flat
from runstream.reading.run import Run

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
_WIDTH = 40
_SAMPLES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is shown of a run at one moment; all of it came through the HTTP API."""

    document: dict[str, Any]
    writers: list[dict[str, Any]]
    transitions: list[dict[str, Any]]
    series: list[dict[str, Any]]
    delivery: dict[str, Any]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the run has ended and everything it counted is stored."""
        return self.document["state"] not in ("pending", "running", "preempting") and bool(self.delivery["complete"])

    def as_json(self) -> dict[str, Any]:
        """Return everything as one document."""
        return {
            **self.document,
            "writers": self.writers,
            "transitions": self.transitions,
            "series": self.series,
            "delivery": self.delivery,
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
    )


def runs_table(documents: Sequence[dict[str, Any]], now: datetime) -> Table:
    """Return a table of run documents."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("state", "run", "path", "created", "steps", "summary"):
        table.add_column(heading, overflow="fold" if heading == "path" else "ellipsis", no_wrap=heading != "summary")
    for document in documents:
        path = f"{document['entity']}/{document['project']}/{document['id']}"
        values = [f"{printable(key)} {show(value)}" for key, value in list(flat(document["summary"]).items())[:4]]
        steps = "-" if document["last_step"] is None else str(document["last_step"] + 1)
        created = ago(document["created_at"], now)
        table.add_row(
            state_text(document), Text(printable(document["name"])), Text(printable(path)), created, steps,
            Text("  ".join(values)),
        )  # fmt: skip
    return table


def run_view(snapshot: Snapshot, now: datetime) -> RenderableType:
    """Return everything about a run: header, transitions, metrics and delivery."""
    parts: list[RenderableType] = [_header(snapshot, now), Text(), _transitions(snapshot.transitions)]
    if snapshot.series:
        parts += [Text(), _metrics(snapshot)]
    if rest := _other_values(snapshot):
        parts += [Text(), rest]
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
    path = f"{document['entity']}/{document['project']}/{document['id']}"
    facts = [printable(path), f"created {ago(document['created_at'], now)}", f"took {_took(document)}"]
    if document["tags"]:
        facts.append("tags " + printable(", ".join(document["tags"])))
    return Group(title, Text(" · ".join(facts), style="dim"), Text(document["url"], style="underline dim"))


def _took(document: dict[str, Any]) -> str:
    first, last = moment(document["created_at"]), moment(document["updated_at"])
    return "-" if first is None or last is None else duration((last - first).total_seconds())


def _transitions(transitions: Sequence[dict[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for item in transitions:
        move = Text.assemble(item["from"] or "-", " → ", (item["to"], _COLOURS.get(item["to"], "")))
        table.add_row(clock(item["time"]), move, Text(printable(item["reason"] or ""), style="dim"))
    return table


def _metrics(snapshot: Snapshot) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    several = len({item["writer"] for item in snapshot.series}) > 1
    for heading in ("metric", *(["writer"] if several else []), "", "min", "max", "last"):
        table.add_column(heading, justify="right" if heading in ("min", "max", "last") else "left", no_wrap=True)
    for item in snapshot.series:
        numbers = [value for value in item["values"] if value is not None and value == value]  # noqa: PLR0124  # NaN
        ends = [show(min(numbers)), show(max(numbers))] if numbers else ["-", "-"]
        writer = [Text(printable(item["label"]))] if several else []
        line = Text(sparkline(item["values"], _WIDTH), style="cyan")
        last = show(item["values"][-1]) if item["values"] else "-"
        table.add_row(Text(printable(item["key"])), *writer, line, *ends, last)
    return table


def _other_values(snapshot: Snapshot) -> RenderableType | None:
    """Return what of the summary has no curve, or differs from its last point."""
    last = {item["key"]: item["values"][-1] for item in snapshot.series if item["values"]}
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in flat(snapshot.document["summary"]).items():
        if key not in last or show(last[key]) != show(value):
            table.add_row(Text("summary", style="dim"), Text(printable(key)), Text(show(value)))
    return table if table.row_count else None


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
