"""The plain data that a fold is kept as."""

from __future__ import annotations

import pytest

from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.summary_algebra.fold import RunFold
from runstream_schemas.summary_algebra.projection import project
from runstream_schemas.summary_algebra.state import run_state, take_document, take_keys
from tests.property.summary.runs import RUN

WRITER = b"w" * 16


def test_what_the_first_release_stored_is_read() -> None:
    """Version 1 had writers as bytes beside every value, and the mantissa of a sum as bytes."""
    seen = [4, 7, 2, WRITER, 0.5]
    text = [5, 7, 3, WRITER, ['"x"']]
    keys = [
        1,
        [
            ["a", "b", [2, 0, 0, 0, 0.25, 0.5, b"\x03", -2, seen, seen]],
            ["c", [0] * 4 + [None] * 2 + [b"\0", 0, text, text]],
        ],
    ]
    given = {"name": "a.b", "glob": False, "step_metric": None, "step_sync": None, "hidden": None, "goal": None}
    definition = {**given, "summary": ["mean"], "overwrite": False}
    by_hand = [["note"], [1, 5, 0], WRITER, 5, "7"]
    document = [1, [[by_hand], [], [], []], [[[0, 1, 0], definition]], [[WRITER, [b"v" * 16]]]]
    fold = RunFold(run=RUN)
    take_keys(fold, keys)
    take_document(fold, document)
    summary = project(fold.keys, fold.manual, fold.definitions, fold.continues)
    assert summary == {"a": {"b": {"mean": 0.375}}, "c": "x", "note": 7}
    assert fold.continues == {WRITER: frozenset({b"v" * 16})}


def test_a_version_that_is_not_known_is_refused() -> None:
    """Rather than read wrongly."""
    state = run_state(RunFold(run=RUN))
    with pytest.raises(MalformedEvent, match="version 9"):
        take_keys(RunFold(run=RUN), [9, *state["keys"][1:]])
