"""The columns of a list of runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import humanize
from rich.text import Text

from runstream.cli.run_view import duration_seconds, path_text, state_text, summary_values
from runstream.exceptions import UsageError
from runstream.public_api.frames import flat, pick
from runstream.terminal.formatting import format_age, format_duration, format_value
from runstream.terminal.terminal import printable
from runstream_schemas import values

Document = Mapping[str, Any]

#: How many values of the summary the column ``summary`` shows.
_SUMMARY_VALUES = 4
_NESTED = ("config", "summary", "metadata")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, the value of a run for programs, and the same for people."""

    name: str
    value: Callable[[Document, datetime], Any]
    shown: Callable[[Document, datetime], str | Text]
    is_number: bool = False


def _plain(name: str, value: Callable[[Document], Any] | None = None) -> Column:
    read = value or (lambda document: document[name])
    return Column(name, lambda document, _: read(document), lambda document, _: _text(read(document)))


def _text(value: Any) -> str:
    if value is None or value == []:
        return "-"
    return printable(", ".join(value) if isinstance(value, list) else str(value))


def _steps(document: Document) -> int | None:
    return None if document["last_step"] is None else int(document["last_step"]) + 1


def _duration(document: Document, now: datetime) -> str:
    seconds = duration_seconds(document, now)
    return "-" if seconds is None else format_duration(seconds)


def _first_values(document: Document) -> str:
    shown = [f"{printable(key)} {format_value(value)}" for key, value in summary_values(document).items()]
    return "  ".join(shown[:_SUMMARY_VALUES])


_PLAIN = {
    column.name: column
    for column in (
        Column("state", lambda document, _: document["state"], lambda document, _: state_text(document)),
        _plain("name"),
        _plain("id"),
        _plain("entity"),
        _plain("project"),
        Column("path", lambda document, _: path_text(document), lambda document, _: path_text(document)),
        Column(
            "created",
            lambda document, _: document["created_at"],
            lambda document, now: format_age(document["created_at"], now),
        ),
        Column("duration", duration_seconds, _duration),
        Column(
            "steps",
            lambda document, _: _steps(document),
            lambda document, _: "-" if document["last_step"] is None else humanize.intcomma(_steps(document) or 0),
            is_number=True,
        ),
        Column("summary", lambda document, _: _first_values(document), lambda document, _: _first_values(document)),
        _plain("tags"),
        _plain("group"),
        _plain("job_type"),
        _plain("user", lambda document: document["metadata"].get("username")),
        _plain("host", lambda document: document["metadata"].get("host")),
        _plain("notes"),
        _plain("url"),
    )
}
#: The columns of a table, and the first ones of CSV.
TABLE = ("state", "name", "path", "created", "steps", "summary")
_CSV = ("path", "name", "state", "created", "duration", "steps", "tags", "group", "job_type", "user")


def parse_columns(text: str) -> list[Column]:
    """Return the columns of a list such as ``name,state,config.lr``; raises UsageError for an unknown one."""
    return [_column(name.strip()) for name in text.split(",") if name.strip()]


def csv_columns(documents: Sequence[Document]) -> list[Column]:
    """Return the columns of CSV without a choice: the usual ones, and every value of config and summary."""
    names = dict.fromkeys(
        f"{part}.{key}"
        for part in ("config", "summary")
        for document in documents
        for key in flat(document[part])
        if not key.startswith("_")
    )
    return [_column(name) for name in (*_CSV, *names)]


def csv_text(columns: Sequence[Column], documents: Sequence[Document], now: datetime) -> str:
    """Return runs as CSV with a header; lists and dicts are JSON, missing values are empty."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([_encodable(column.name) for column in columns])
    for document in documents:
        writer.writerow([_cell(column.value(document, now)) for column in columns])
    return output.getvalue()


def _column(name: str) -> Column:
    if name in _PLAIN:
        return _PLAIN[name]
    part, _, key = name.partition(".")
    if part not in _NESTED or not key:
        known = ", ".join((*_PLAIN, *(f"{nested}.KEY" for nested in _NESTED)))
        raise UsageError(f"Unknown column {name!r}: expected some of {known}")

    def value(document: Document, _: datetime) -> Any:
        return pick(document[part], [key]).get(key)

    def shown(document: Document, now: datetime) -> str:
        found = value(document, now)
        return "-" if found is None else printable(format_value(found))

    return Column(name, value, shown, is_number=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return _encodable(values.dump(value) if isinstance(value, list | dict | bool) else str(value))


def _encodable(text: str) -> str:
    """Return a text without lone surrogates, which no encoding can write."""
    return text.encode("utf-8", "backslashreplace").decode()
