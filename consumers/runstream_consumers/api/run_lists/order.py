"""The order of a list of runs. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from runstream_consumers.api.run_lists.conditions import STATE_SQL, Parameters
from runstream_consumers.api.run_lists.fields import CREATED, DISPLAY_NAME, STATE, Field, field_named

#: What names other fields here than in filters.
_FIELDS = {"created": CREATED, "name": DISPLAY_NAME, "state": STATE}
_EXPECTED = (
    "created, name, state, another field of filters, config.KEY or summary.KEY, with - in front for a descending order"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """An order of runs; runs without the value come last, and of equal runs the newest comes first."""

    field: Field
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> RunOrder:
        """Return the order that a text names, such as ``-created`` or ``+summary.loss``; raises ValueError."""
        name = text[1:] if text[:1] in {" ", "+", "-"} else text
        try:
            field = _FIELDS.get(name) or field_named(name)
        except ValueError:
            raise ValueError(f"Invalid order {text!r}: expected {_EXPECTED}") from None
        return cls(field=field, descending=text.startswith("-"))

    def sql(self, parameters: Parameters) -> str:
        """Return what a query on ``listing`` is ordered by: numbers before texts, and texts in any case."""
        way = "desc" if self.descending else "asc"
        if self.field == CREATED:
            return f"listing.created {way}, listing.run {way}"
        if self.field.is_json:
            terms = self._json_terms(parameters)
        else:
            terms = [STATE_SQL if self.field == STATE else f"listing.{self.field.source.value}"]
        return ", ".join([*(f"{term} {way} nulls last" for term in terms), "listing.created desc", "listing.run desc"])

    def _json_terms(self, parameters: Parameters) -> list[str]:
        column = self.field.source.value
        found = [f"({column} -> {parameters.add(key, 'text')})" for key in self.field.keys]
        value = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
        kind = f"jsonb_typeof({value})"
        return [
            f"case {kind} when 'number' then 0 when 'boolean' then 0 when 'string' then 1 end",
            # Not as floats: that conversion of a number takes longer than its comparison.
            f"case {kind} when 'number' then {value} when 'boolean' then to_jsonb(({value})::boolean::int) end",
            f"case {kind} when 'string' then lower({value} #>> '{{}}') end",
        ]

    @property
    def text(self) -> str:
        """What distinguishes it from other orders."""
        return json.dumps([self.field.source.value, self.field.keys, self.descending])


#: The order of lists by default.
NEWEST_FIRST = RunOrder(field=CREATED, descending=True)
