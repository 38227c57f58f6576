"""The reference of the events that consumers receive, generated from the dataclasses and the schemas.

``python -m tests.contract.event_reference`` writes docs/events.md.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream_consumers.functions import Message, Row, Run
from runstream_consumers.runtime import plugin
from runstream_schemas import events, rows, symbols, topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "events.md"
_SCHEMAS = ROOT / "schemas" / "runstream_schemas" / "avsc"

_INTRODUCTION = """# Events

What [consumers](consumers.md) receive, field by field. This page is generated from the source
(`python -m tests.contract.event_reference`); the bytes of the events are described in [contract](contract.md).

`Batch.events` holds `Received`, whose `event` has one of the types below, according to the topic. They are in
`runstream_schemas.events`, and all are frozen.
"""
_CLASSES: dict[str, list[type]] = {
    "Batches": [plugin.Batch, plugin.Received],
    "All events": [events.Header, topics.RunPath, events.Writer],
    "Topic `log`": [events.LogEvent, events.Column, events.Branch],
    "Topics `config` and `summary`": [events.ChangeEvent, events.Record, events.Entry],
    "Topic `heartbeat`": [events.HeartbeatEvent, events.Ending],
    "Topic `exit`": [events.ExitEvent],
    "Topic `alert`": [events.AlertEvent],
    "Topic `state`": [events.StateEvent],
    "Topic `file`": [events.FileEvent, events.FileContent],
    "Topic `artifact`": [events.ArtifactEvent],
    "Consumers of one function": [Run, Row, Message],
}
_FUNCTIONS: list[Callable[..., Any]] = [rows.unpack_rows, rows.column_values, rows.cut]
#: Where neither a comment nor the schema is right: a published schema cannot be corrected.
_CORRECTIONS = {
    ("HeartbeatEvent", "number"): "Of a beat: milliseconds since the machine was started. Of a tick: its number.",
    ("Ending", "exit_code"): "-1 if not known.",
    ("Ending", "signal"): "0 if none, -1 if not known.",
}
_TOPICS = {events.ChangeEvent: "config", events.Ending: "exit", events.Column: "log", events.Entry: "config"}


def render() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for title, classes in _CLASSES.items():
        parts.append(f"## {title}\n")
        parts += [_class(kind) for kind in classes]
        if title == "All events":
            parts.append("The fields of the header are also attributes of each event: `event.run`, `event.kind`.\n")
    parts.append("## Enumerations\n\nA value that this release does not know becomes `unknown`.\n")
    parts.append("| class | values |\n|---|---|")
    parts += [f"| `{kind.__name__}` | {', '.join(f'`{one.value}`' for one in kind)} |" for kind in _enumerations()]
    parts.append("\n## Rows of a block\n\nFunctions of `runstream_schemas.rows`:\n")
    parts += [_function(function) for function in _FUNCTIONS]
    return "\n".join(parts).rstrip() + "\n"


def _class(described: type) -> str:
    fields = list(_fields(described))
    text = f"### {described.__name__}\n\n{_plain(inspect.getdoc(described) or '')}\n"
    if not fields:
        return text
    table = [f"| `{name}` | `{_escaped(kind)}` | {_escaped(note)} |" for name, kind, note in fields]
    return "\n".join([text, "| field | type | meaning |", "|---|---|---|", *table, ""])


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a class with their types and comments, and its properties."""
    source = textwrap.dedent(inspect.getsource(kind))
    lines = source.splitlines()
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    schema = _schema_notes(kind)
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            note = _comment(lines, node.lineno - 1) or schema.get(name, "")
            yield name, ast.unparse(node.annotation), _CORRECTIONS.get((kind.__name__, name), note)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = "" if node.decorator_list else f"({', '.join(one.arg for one in node.args.args[1:])})"
            result = ast.unparse(node.returns) if node.returns else ""
            note = _plain((ast.get_docstring(node) or "").partition("\n")[0])
            yield node.name + arguments, result, note


def _comment(lines: list[str], number: int) -> str:
    """Return the comment above a line, or at its end."""
    above: list[str] = []
    while lines[number - 1].strip().startswith("#:"):
        number -= 1
        above.insert(0, lines[number].strip().removeprefix("#:").strip())
    trailing = re.search(r"  # (.*)", lines[number + len(above)])
    return _plain(" ".join(above) or (trailing[1] if trailing else ""))


def _schema_notes(kind: type) -> dict[str, str]:
    """Return the documentation of fields in the newest schema of the topic of a class."""
    topic = _TOPICS.get(kind) or getattr(getattr(kind, "topic", None), "value", None)
    if topic is None:
        return {}
    newest = max((_SCHEMAS / topic).glob("*.avsc"), key=lambda path: int(path.stem))
    found: dict[str, str] = {}
    _collect(json.loads(newest.read_text()), found)
    return found


def _collect(part: Any, found: dict[str, str]) -> None:
    if isinstance(part, dict):
        if "name" in part and "type" in part and isinstance(part.get("doc"), str):
            found.setdefault(part["name"], part["doc"])
        for inner in part.values():
            _collect(inner, found)
    elif isinstance(part, list):
        for inner in part:
            _collect(inner, found)


def _enumerations() -> list[type[Enum]]:
    found = [value for value in vars(events).values() if isinstance(value, type) and issubclass(value, Enum)]
    return [kind for kind in found if kind.__module__ == symbols.__name__]


def _function(function: Callable[..., Any]) -> str:
    signature = str(inspect.signature(function)).replace("'", "")
    return f"### {function.__name__}\n\n`{function.__name__}{signature}`\n\n{_plain(inspect.getdoc(function) or '')}\n"


def _plain(text: str) -> str:
    """Return a documentation string as Markdown."""
    return re.sub(r":(?:func|class|data):`([^`]*)`", r"`\1`", text).replace("``", "`")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
