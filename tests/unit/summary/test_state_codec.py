"""The plain data in which a state is stored."""

from __future__ import annotations

import pytest

from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.summary_algebra.projection import project
from runstream_schemas.summary_algebra.state_codec import decode_document, decode_keys, encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState
from tests.property.summary.runs import RUN

WRITER = b"w" * 16


def test_a_state_of_the_first_release_is_read() -> None:
    """Version 1 had the writer as bytes for each value, and the mantissa of a sum as bytes."""
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
    state = SummaryState(run=RUN)
    decode_keys(state, keys)
    decode_document(state, document)
    summary = project(state.keys, state.manual, state.definitions, state.continues)
    assert summary == {"a": {"b": {"mean": 0.375}}, "c": "x", "note": 7}
    assert state.continues == {WRITER: frozenset({b"v" * 16})}


def test_an_unsupported_version_is_refused() -> None:
    """A state of a newer version raises MalformedEvent with the version."""
    data = encode_state(SummaryState(run=RUN))
    with pytest.raises(MalformedEvent, match="version 9"):
        decode_keys(SummaryState(run=RUN), [9, *data["keys"][1:]])
