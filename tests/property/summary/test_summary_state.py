"""The state of a run does not depend on the order of events, and agrees with a naive model."""

from __future__ import annotations

import json
import math
import struct
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.summary.packing import documents, pack_document, pack_keys, texts, unpack
from runstream_schemas import values
from runstream_schemas.events import LogEvent, Role, Writer
from runstream_schemas.summary_algebra.definitions import Definition
from runstream_schemas.summary_algebra.key_state import KeyState
from runstream_schemas.summary_algebra.projection import Nothing, project, shown, summary_of
from runstream_schemas.summary_algebra.state_codec import decode_state, encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState
from tests.property.summary.naive import aggregate, cells, overlaid
from tests.property.summary.runs import RUN, Placed, log_event, one_by_one, runs

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

_WRITER = Writer(id=bytes(16), role=Role.PRIMARY)
_SHUFFLES = st.randoms(use_true_random=False)


def folded(placed: Iterable[Placed]) -> SummaryState:
    """Return the state of events that are folded in this order."""
    state = SummaryState(run=RUN)
    for item in placed:
        state.fold(item.event, item.offset, item.append_time)
    return state


def all_of(state: SummaryState) -> tuple[Any, ...]:
    """Return everything stored of a state, in a form in which NaN equals NaN."""
    summary = values.dump(summary_of(state))
    keys = pack_keys(state.keys, state.latest)
    return keys, pack_document(state), texts(documents(state)), summary, state.last_step, state.created, state.updated


@given(runs(), _SHUFFLES)
def test_order_and_division_of_events_do_not_change_the_state(placed: list[Placed], shuffle: random.Random) -> None:
    """Events in any order, whole or record by record, have the same bytes and the same summary."""
    pieces = [piece for item in placed for piece in (one_by_one(item) if shuffle.random() < 0.5 else [item])]
    shuffle.shuffle(pieces)
    assert all_of(folded(placed)) == all_of(folded(pieces))


def test_the_bits_of_a_nan_do_not_change_the_state() -> None:
    """Any NaN is stored as the same bytes, whatever its sign and payload."""
    (nan,) = struct.unpack("<d", bytes.fromhex("010000000000f87f"))
    events = [log_event(_WRITER, [{"a": value}], [0], 0) for value in (nan, -math.nan, math.nan)]
    states = [folded([Placed(event, 0, 1)]) for event in events]
    assert all_of(states[0]) == all_of(states[1]) == all_of(states[2])


@given(runs(), _SHUFFLES)
def test_a_stored_state_can_be_continued(placed: list[Placed], shuffle: random.Random) -> None:
    """Packing and unpacking between two events changes nothing."""
    middle = shuffle.randint(0, len(placed))
    first = folded(placed[:middle])
    again = unpack(RUN, pack_keys(first.keys, first.latest), pack_document(first))
    again.last_step, again.created, again.updated = first.last_step, first.created, first.updated
    for item in placed[middle:]:
        again.fold(item.event, item.offset, item.append_time)
    assert all_of(folded(placed)) == all_of(again)


@given(runs())
def test_a_state_survives_json(placed: list[Placed]) -> None:
    """The plain data that the API serves decodes to an equal state."""
    state = folded(placed)
    again = decode_state(RUN, values.load(values.dump(encode_state(state))))
    assert all_of(state) == all_of(again)


@given(runs(), _SHUFFLES)
def test_merging_is_associative_and_commutative(placed: list[Placed], shuffle: random.Random) -> None:
    """The states of a key over three parts of a run merge to the same state in any grouping."""
    parts: list[list[Placed]] = [[], [], []]
    for item in placed:
        shuffle.choice(parts).append(item)
    states = [folded(part).keys for part in parts]
    for path in {path for keys in states for path in keys}:
        a, b, c = (keys.get(path, KeyState()) for keys in states)
        left = _merged(_merged(a, b), c)
        right = _merged(c, _merged(b, a))
        assert _packed(left) == _packed(right)
        assert _packed(folded(placed).keys[path]) == _packed(left)


@pytest.mark.parametrize("name", ["min", "max", "mean", "last", "first"])
@given(placed=runs())
def test_aggregations_equal_those_of_all_values(name: str, placed: list[Placed]) -> None:
    """Each aggregation equals the one computed from the list of all values."""
    columns = cells(placed)
    state = folded(placed)
    assert columns.keys() == state.keys.keys()
    for path, column in columns.items():
        definition = Definition(name=".".join(path), summary=frozenset({name}))
        value = shown(state.keys[path], definition)
        expected = aggregate(column, name)
        assert _text({} if expected == "absent" else {name: expected}) == _text({} if value is Nothing else value)


@given(runs())
def test_the_projection_equals_setting_value_after_value(placed: list[Placed]) -> None:
    """Without definitions and assignments, a later value replaces those whose paths conflict with its own."""
    rows = [item for item in placed if isinstance(item.event, LogEvent)]
    state = folded(rows)
    shown_summary = project(state.keys, state.manual, state.definitions, state.continues)
    assert _sorted(overlaid(cells(rows))) == _sorted(shown_summary)


def _sorted(tree: dict[str, Any]) -> str:
    return json.dumps(tree, sort_keys=True)


def _text(value: dict[str, Any]) -> str:
    # 0.0 equals -0.0 and 1 equals 1.0; which of equal numbers is the minimum is not defined.
    return values.dump({name: value + 0.0 if type(value) in (int, float) else value for name, value in value.items()})


def _merged(left: KeyState, right: KeyState) -> KeyState:
    merged = deepcopy(left)
    merged.merge(right)
    return merged


def _packed(state: KeyState) -> bytes:
    return pack_keys({("key",): state})
