"""Markers and branches on topic ``log``: events without rows, as docs/contract.md describes them."""

from __future__ import annotations

import numpy as np
import pytest

from runstream_schemas.decoding import event_of
from runstream_schemas.encoding import fields_of
from runstream_schemas.events import Branch, Header, Kind, LogEvent, Role, Stream, Writer
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.topics import RunPath, Topic

_RUN = RunPath(entity="team", project="digits", run_id="one")


@pytest.mark.parametrize(("kind", "count"), [(Kind.DROPPED, 7), (Kind.BRANCH, 1)])
def test_events_without_rows_have_neither_orders_nor_steps(kind: Kind, count: int) -> None:
    """A writer leaves the fields at 0 and empty, and a reader ignores what another writer stores in them."""
    none = np.empty(0, dtype=np.int64)
    header = Header(kind=kind, run=_RUN, writer=Writer(id=bytes(16), role=Role.PRIMARY), time=5, seq=3, count=count)
    branch = Branch(run=_RUN, step=4) if kind is Kind.BRANCH else None
    event = LogEvent(header=header, stream=Stream.HISTORY, orders=none, steps=none, times=none, branch=branch)

    fields = fields_of(event)
    assert [fields[name] for name in ("order", "orders", "step", "steps", "times", "columns")] == [
        0,
        b"",
        0,
        b"",
        b"",
        [],
    ]

    given = {"branch_entity": "", "branch_project": "", "branch_run_id": "", "branch_step": 0, **fields}
    given |= {"order": 9, "orders": bytes(3), "step": -1, "steps": bytes(5), "times": bytes(1)}
    found = event_of(Topic.LOG, given, DEFAULT_LIMITS)
    assert isinstance(found, LogEvent)
    assert (found.header, len(found.orders), len(found.steps), len(found.times)) == (header, 0, 0, 0)
