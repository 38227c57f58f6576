"""Conditions on runs, and the SQL that tests them. Pure.

A test of JSON becomes a jsonpath, so that Postgres looks at each row once for all tests of a column. A jsonpath is
neither true nor false for a value of another type; such a test does not hold, and its negation does.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from runstream_consumers.api.run_lists.fields import Field, Source

_LARGEST = sys.float_info.max
#: Characters that no listed value has (summary/listing.py).
_UNSUITABLE = re.compile("[\0\ud800-\udfff]")

Operator = Literal["==", ">", ">=", "<", "<=", "exists", "regex"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field has a value, or one that compares to it as stated; ``options`` are those of a regular expression."""

    field: Field
    operator: Operator
    operand: Any = None
    options: str = ""


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition = Comparison | All | Some | Not
EVERYTHING = All()


def is_one_of(which: Field, operands: Iterable[Any]) -> Condition:
    """Return the condition that a field has one of these values."""
    return Some(tuple(Comparison(which, "==", operand) for operand in operands))


def comparisons_of(condition: Condition) -> list[Comparison]:
    """Return the tests of a condition."""
    match condition:
        case Comparison():
            return [condition]
        case Not(part):
            return comparisons_of(part)
        case All(parts) | Some(parts):
            return [test for part in parts for test in comparisons_of(part)]


@dataclass(slots=True)
class Parameters:
    """The parameters of a query."""

    given: list[Any] = field(default_factory=list)

    def add(self, value: Any, kind: str) -> str:
        """Add a parameter, and return how the query names it."""
        self.given.append(value)
        return f"${len(self.given)}::{kind}"


#: The state of a run with regard to what has arrived.
STATE_SQL = "coalesce(effective.state, live.state, 'pending')"


def sql_of(condition: Condition, parameters: Parameters) -> str:
    """Return the SQL of a condition on ``listing``, ``live`` and ``effective``, which is true or false, not null."""
    if (source := _source(condition)) is not None:
        path = _text(jsonpath_of(condition))
        return f"coalesce({source.value} @@ {parameters.add(path, 'jsonpath')}, false)"
    match condition:
        case Comparison():
            return _column_test(condition, parameters)
        case Not(part):
            return f"not {sql_of(part, parameters)}"
        case All(parts):
            return _joined(" and ", "true", [sql_of(part, parameters) for part in _grouped(All, parts)])
        case Some(parts):
            return _joined(" or ", "false", [sql_of(part, parameters) for part in _grouped(Some, parts)])


def jsonpath_of(condition: Condition) -> str:
    """Return the jsonpath predicate of a condition on one column of JSON."""
    match condition:
        case Comparison():
            return _json_test(condition)
        case Not(part):
            inner = jsonpath_of(part)
            return f"(!({inner}) || (({inner}) is unknown))"
        case All(parts):
            return _joined(" && ", "(1 == 1)", [jsonpath_of(part) for part in parts])
        case Some(parts):
            return _joined(" || ", "(1 == 0)", [jsonpath_of(part) for part in parts])


def _source(condition: Condition) -> Source | None:
    """Return the column of JSON that all tests of a condition are about, if they are about one."""
    found = {test.field for test in comparisons_of(condition)}
    sources = {one.source for one in found}
    return next(iter(sources)) if len(sources) == 1 and all(one.is_json for one in found) else None


def _grouped(kind: type[All | Some], parts: Sequence[Condition]) -> list[Condition]:
    """Return the parts with those about one column of JSON together."""
    by_source: dict[Source, list[Condition]] = {}
    others: list[Condition] = []
    for part in parts:
        source = _source(part)
        (others if source is None else by_source.setdefault(source, [])).append(part)
    return [kind(tuple(group)) for group in by_source.values()] + others


def _joined(word: str, empty: str, parts: Sequence[str]) -> str:
    return f"({word.join(parts)})" if parts else empty


def _column_test(test: Comparison, parameters: Parameters) -> str:
    column = STATE_SQL if test.field.source is Source.STATE else f"listing.{test.field.source.value}"
    if test.operator == "exists" or test.operand is None:
        return "true" if test.operator == "exists" else "false"
    operand = parameters.add(test.operand, "text" if test.field.source is Source.STATE else "bigint")
    if test.operator == "regex":
        return f"{column} {'~*' if 'i' in test.options else '~'} {operand}"
    return f"{column} {'=' if test.operator == '==' else test.operator} {operand}"


def _json_test(test: Comparison) -> str:
    return _joined(" || ", "(1 == 0)", [_json_test_of(f"$.{_text(json.dumps(key))}", test) for key in test.field.keys])


def _json_test_of(path: str, test: Comparison) -> str:
    match test.operator, test.operand:
        case "exists", _:
            return f"exists({path})"
        case "regex", pattern:
            flag = f' flag "{test.options}"' if test.options else ""
            return f"{path} like_regex {_literal(pattern)}{flag}"
        case "==", None:
            return f"(!exists({path}) || {path} == null)"
        case "==", list(items):
            each = [f"{path}[{number}] == {_literal(item)}" for number, item in enumerate(items)]
            return _joined(" && ", "", [f'{path}.type() == "array"', f"{path}.size() == {len(items)}", *each])
        case "==", float(number) if math.isnan(number):
            return f"{path}.nan == true"
    return f"{path} {test.operator} {_literal(test.operand)}"


def _literal(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = min(max(value, -_LARGEST), _LARGEST)
    return json.dumps(_text(value) if isinstance(value, str) else value)


def _text(text: str) -> str:
    return _UNSUITABLE.sub("\ufffd", text)
