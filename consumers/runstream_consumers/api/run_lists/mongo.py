"""Filters in the form of MongoDB's queries, as W&B accepts them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runstream_consumers.api.run_lists.conditions import All, Comparison, Condition, Not, Some, is_one_of
from runstream_consumers.api.run_lists.fields import STATE, Field, field_named
from runstream_schemas import values
from runstream_schemas.events import RunState

#: Limits of a filter.
LONGEST = 20_000
_LONGEST_TEXT = 500
_MOST_ITEMS = 1000
_MOST_TESTS = 2000
_DEEPEST = 20
_COMPARISONS: Mapping[str, Any] = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS = (*_COMPARISONS, "$eq", "$ne", "$in", "$nin", "$exists", "$regex", "$options", "$not")
_NEGATIONS: Mapping[str, str] = {"$ne": "$eq", "$nin": "$in"}
_LOGICAL = ("$and", "$or", "$nor", "$not")
_STATES = frozenset(state.value for state in RunState if state is not RunState.UNKNOWN)
#: A reference to a group takes exponential time.
_BACKREFERENCE = re.compile(r"\\[1-9]")
_LATEST_S = 1e11


def parse(text: str) -> Condition:
    """Return the condition of a filter, given as JSON; raises ValueError, which states what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"Invalid filter of {len(text)} characters: expected up to {LONGEST}")
    try:
        values.check(text, depth=_DEEPEST)
        given = values.load(text)
    except ValueError as error:
        raise ValueError(f"Invalid filter {text[:100]!r}: {error}") from error
    parser = _Parser()
    return parser.query(given)


class _Parser:
    """Parses one filter, and counts its tests."""

    def __init__(self) -> None:
        self._tests = 0

    def query(self, given: Any) -> Condition:
        """Return the condition of a dict of fields and logical operators."""
        if not isinstance(given, dict):
            raise _invalid("filter", given, 'a dict such as {"config.lr": {"$gt": 0.1}}')
        return All(tuple(self._part(name, value) for name, value in given.items()))

    def _part(self, name: str, value: Any) -> Condition:
        if name in {"$and", "$or", "$nor"}:
            if not isinstance(value, list) or not value:
                raise _invalid(name, value, "a list of filters")
            parts = tuple(self.query(item) for item in value)
            return All(parts) if name == "$and" else Some(parts) if name == "$or" else Not(Some(parts))
        if name == "$not":
            return Not(self.query(value))
        if name.startswith("$"):
            raise ValueError(
                f"Unknown operator {name!r}: expected one of {', '.join(_LOGICAL)}, or the name of a field"
            )
        return self._of_field(name, field_named(name), value)

    def _of_field(self, name: str, field: Field, value: Any) -> Condition:
        if not (isinstance(value, dict) and any(key.startswith("$") for key in value)):
            return self._test(name, field, "==", value)
        options = value.get("$options", "")
        if "$options" in value and "$regex" not in value:
            raise ValueError(f"Invalid condition on {name!r}: $options belongs to $regex")
        return All(
            tuple(
                self._operation(name, field, operator, operand, options)
                for operator, operand in value.items()
                if operator != "$options"
            )
        )

    def _operation(self, name: str, field: Field, operator: str, operand: Any, options: Any) -> Condition:
        if operator in _COMPARISONS:
            if isinstance(operand, bool | None | list | dict):
                raise _invalid(f"{operator} of {name}", operand, "a number or a text")
            return self._test(name, field, _COMPARISONS[operator], operand)
        if operator in _NEGATIONS:
            return Not(self._operation(name, field, _NEGATIONS[operator], operand, options))
        match operator:
            case "$eq":
                return self._test(name, field, "==", operand)
            case "$in":
                return is_one_of(field, self._items(name, field, operand))
            case "$regex":
                return self._regex(name, field, operand, options)
        return self._further(name, field, operator, operand)

    def _further(self, name: str, field: Field, operator: str, operand: Any) -> Condition:
        if operator == "$exists":
            if not isinstance(operand, bool):
                raise _invalid(f"$exists of {name}", operand, "true or false")
            test = self._test(name, field, "exists", None)
            return test if operand else Not(test)
        if operator == "$not":
            if not isinstance(operand, dict):
                raise _invalid(f"$not of {name}", operand, 'operators such as {"$gt": 1}')
            return Not(self._of_field(name, field, operand))
        raise ValueError(f"Unknown operator {operator!r} of {name!r}: expected one of {', '.join(_OPERATORS)}")

    def _items(self, name: str, field: Field, operand: Any) -> Sequence[Any]:
        if not isinstance(operand, list) or len(operand) > _MOST_ITEMS:
            raise _invalid(f"$in of {name}", operand, f"a list of up to {_MOST_ITEMS} values")
        self._count(len(operand))
        return [_operand(name, field, item) for item in operand]

    def _regex(self, name: str, field: Field, pattern: Any, options: Any) -> Condition:
        if not isinstance(pattern, str) or field.is_time:
            raise _invalid(f"$regex of {name}", pattern, "a text, of a field that is no time")
        if not isinstance(options, str) or set(options) - set("ims"):
            raise _invalid(f"$options of {name}", options, "some of the letters i, m and s")
        return self._test(name, field, "regex", checked_regex(pattern), options)

    def _test(self, name: str, field: Field, operator: Any, operand: Any, options: str = "") -> Condition:
        self._count(1)
        checked = operand if operator in {"exists", "regex"} else _operand(name, field, operand)
        return Comparison(field, operator, checked, options)

    def _count(self, tests: int) -> None:
        self._tests += tests
        if self._tests > _MOST_TESTS:
            raise ValueError(f"Invalid filter: it has more than {_MOST_TESTS} conditions")


def checked_regex(pattern: str) -> str:
    """Return a regular expression without what could take forever; raises ValueError."""
    if len(pattern) > _LONGEST_TEXT:
        raise ValueError(f"Invalid regular expression of {len(pattern)} characters: expected up to {_LONGEST_TEXT}")
    if _BACKREFERENCE.search(pattern):
        raise ValueError(
            f"Invalid regular expression {pattern!r}: references to groups, such as \\1, are not supported"
        )
    return pattern


def _operand(name: str, field: Field, value: Any) -> Any:
    """Return a value that a field is compared with; raises ValueError."""
    checks: Sequence[tuple[bool, Callable[[str, Any], Any]]] = (
        (field.is_time, _time),
        (field == STATE, _state),
        (True, _plain),
    )
    return next(check(name, value) for applies, check in checks if applies)


def _time(name: str, value: Any) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LATEST_S:
        return round(value * 1_000_000)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _invalid(name, value, "a time in ISO 8601, or seconds since 1970") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def _state(name: str, value: Any) -> str:
    if not isinstance(value, str) or value.lower() not in _STATES:
        raise _invalid(name, value, f"one of {', '.join(sorted(_STATES))}")
    return value.lower()


def _plain(name: str, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    if len(items) > _MOST_ITEMS or any(isinstance(item, list | dict) for item in items):
        raise _invalid(name, value, "a number, a text, true, false, null, or a list of these")
    if any(isinstance(item, str) and len(item) > _LONGEST_TEXT for item in items):
        raise _invalid(name, value, f"texts of up to {_LONGEST_TEXT} characters")
    return value


def _invalid(what: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"Invalid {what} {value!r:.100}: expected {expected}")
