"""The fold of a run does not depend on how events come, and agrees with a naive model."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.summary.packing import pack_document, pack_keys, texts, unpack
from runstream_schemas import values
from runstream_schemas.events import LogEvent
from runstream_schemas.summary_algebra.definitions import Definition
from runstream_schemas.summary_algebra.fold import RunFold
from runstream_schemas.summary_algebra.key import KeyFold
from runstream_schemas.summary_algebra.projection import Nothing, project, shown, summary_of
from runstream_schemas.summary_algebra.state import run_fold, run_state
from tests.property.summary.naive import aggregate, cells, overlaid
from tests.property.summary.runs import RUN, Placed, one_by_one, runs

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

_SHUFFLES = st.randoms(use_true_random=False)


def folded(placed: Iterable[Placed]) -> RunFold:
    """Return the fold of events in the order given."""
    fold = RunFold(run=RUN)
    for item in placed:
        fold.fold(item.event, item.offset, item.append_time)
    return fold


def all_of(fold: RunFold) -> tuple[Any, ...]:
    """Return everything that is stored of a fold, in a form that compares NaN equal."""
    summary = values.dump(summary_of(fold))
    keys = pack_keys(fold.keys, fold.latest)
    return keys, pack_document(fold), texts(fold), summary, fold.last_step, fold.created, fold.updated


@given(runs(), _SHUFFLES)
def test_neither_order_nor_cut_of_the_events_shows(placed: list[Placed], shuffle: random.Random) -> None:
    """Events read in any order, whole or record by record, fold to the same bytes and the same summary."""
    pieces = [piece for item in placed for piece in (one_by_one(item) if shuffle.random() < 0.5 else [item])]
    shuffle.shuffle(pieces)
    assert all_of(folded(placed)) == all_of(folded(pieces))


@given(runs(), _SHUFFLES)
def test_a_fold_goes_on_from_what_was_stored(placed: list[Placed], shuffle: random.Random) -> None:
    """Packing and unpacking in the middle changes nothing."""
    middle = shuffle.randint(0, len(placed))
    first = folded(placed[:middle])
    again = unpack(RUN, pack_keys(first.keys, first.latest), pack_document(first))
    again.last_step, again.created, again.updated = first.last_step, first.created, first.updated
    for item in placed[middle:]:
        again.fold(item.event, item.offset, item.append_time)
    assert all_of(folded(placed)) == all_of(again)


@given(runs())
def test_a_fold_travels_as_json(placed: list[Placed]) -> None:
    """What the API serves of a fold is the whole of it."""
    fold = folded(placed)
    again = run_fold(RUN, values.load(values.dump(run_state(fold))))
    assert all_of(fold) == all_of(again)


@given(runs(), _SHUFFLES)
def test_merging_is_associative_and_commutative(placed: list[Placed], shuffle: random.Random) -> None:
    """The folds of a key over three parts of a run merge to the same, however they are paired."""
    parts: list[list[Placed]] = [[], [], []]
    for item in placed:
        shuffle.choice(parts).append(item)
    folds = [folded(part).keys for part in parts]
    for path in {path for keys in folds for path in keys}:
        a, b, c = (keys.get(path, KeyFold()) for keys in folds)
        left = _merged(_merged(a, b), c)
        right = _merged(c, _merged(b, a))
        assert _packed(left) == _packed(right)
        assert _packed(folded(placed).keys[path]) == _packed(left)


@pytest.mark.parametrize("name", ["min", "max", "mean", "last", "first"])
@given(placed=runs())
def test_aggregations_are_those_of_the_textbook(name: str, placed: list[Placed]) -> None:
    """Each aggregation shows what is computed at once from the list of all values."""
    columns = cells(placed)
    fold = folded(placed)
    assert columns.keys() == fold.keys.keys()
    for path, column in columns.items():
        definition = Definition(name=".".join(path), summary=frozenset({name}))
        value = shown(fold.keys[path], definition)
        expected = aggregate(column, name)
        assert _text({} if expected == "absent" else {name: expected}) == _text({} if value is Nothing else value)


@given(runs())
def test_what_is_shown_is_what_setting_value_after_value_leaves(placed: list[Placed]) -> None:
    """Without definitions, and with nothing set by hand, a later value replaces what its path collides with."""
    rows = [item for item in placed if isinstance(item.event, LogEvent)]
    fold = folded(rows)
    shown_summary = project(fold.keys, fold.manual, fold.definitions, fold.continues)
    assert _sorted(overlaid(cells(rows))) == _sorted(shown_summary)


def _sorted(tree: dict[str, Any]) -> str:
    return json.dumps(tree, sort_keys=True)


def _text(value: dict[str, Any]) -> str:
    # Zero has two signs and 1 two types; which of equal numbers is shown as the least is not the model's to say.
    return values.dump({name: value + 0.0 if type(value) in (int, float) else value for name, value in value.items()})


def _merged(left: KeyFold, right: KeyFold) -> KeyFold:
    merged = deepcopy(left)
    merged.merge(right)
    return merged


def _packed(fold: KeyFold) -> bytes:
    return pack_keys({("key",): fold})
