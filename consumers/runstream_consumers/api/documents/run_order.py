"""The order of a list of runs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runstream_consumers.api.documents.run_documents import FoundRun
from runstream_consumers.api.documents.run_filter import value_at

_ALIASES = {"created_at": "created", "display_name": "name", "summary_metrics": "summary"}
_PLAIN = ("created", "name", "state")
_NESTED = ("config", "summary")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """An order of runs; runs without the value come last, and of equal runs the newest comes first."""

    #: One of created, name, state, config, summary.
    field: str
    #: A key of the config or the summary.
    key: str = ""
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> RunOrder:
        """Return the order that a text names, such as ``-created`` or ``-summary.loss``; raises ValueError."""
        field, _, key = text.lstrip(" +-").partition(".")
        field = _ALIASES.get(field, field)
        if text[1:].startswith((" ", "+", "-")) or not (field in _NESTED if key else field in _PLAIN):
            expected = "created, name, state, config.KEY or summary.KEY, with - in front for a descending order"
            raise ValueError(f"Invalid order {text!r}: expected {expected}")
        return cls(field=field, key=key, descending=text.startswith("-"))

    def sort(self, found: Sequence[FoundRun]) -> list[FoundRun]:
        """Return runs, given newest first, in this order."""
        ranked = [(_rank(self._value(item)), item) for item in found]
        known = [pair for pair in ranked if pair[0] is not None]
        known.sort(key=lambda pair: pair[0] or (), reverse=self.descending)
        return [item for _, item in known] + [item for rank, item in ranked if rank is None]

    def _value(self, found: FoundRun) -> Any:
        match self.field:
            case "created":
                return found.document.created
            case "name":
                return found.name
            case "state":
                return "pending" if found.state is None else found.state.state
            case "config":
                return value_at(found.document.config, self.key)
        return value_at(found.document.summary, self.key)


#: The order of lists by default.
NEWEST_FIRST = RunOrder(field="created", descending=True)


def _rank(value: Any) -> tuple[Any, ...] | None:
    """Return what a value is sorted by, numbers before texts; None for NaN, missing values, lists and dicts."""
    if isinstance(value, str):
        return (1, value.casefold(), value)
    if isinstance(value, int | float) and not (isinstance(value, float) and math.isnan(value)):
        return (0, value)
    return None
