"""What was assigned since a document was written leads from it to the document as it would be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.summary.packing import (
    changed_texts,
    documents,
    pack_changes,
    pack_document,
    pack_keys,
    texts,
    unpack,
)
from runstream_schemas import values
from runstream_schemas.summary_algebra.summary_state import Changed, SummaryState
from tests.property.summary.runs import RUN, Placed, runs

if TYPE_CHECKING:
    import random

_NAMES = ("config", "attributes", "metadata")


def ordered(value: Any) -> Any:
    """Return a value with sorted dicts."""
    return {name: ordered(value[name]) for name in sorted(value)} if isinstance(value, dict) else value


@given(runs(), st.lists(st.booleans(), min_size=8, max_size=8), st.randoms(use_true_random=False))
def test_changes_beside_a_document_equal_the_whole_one(
    placed: list[Placed], whole: list[bool], draw: random.Random
) -> None:
    """After every event, in any order, readers and a restarted consumer find what the state has."""
    draw.shuffle(placed)
    state = SummaryState(run=RUN)
    document, shown, changes = pack_document(state), texts(documents(state)), list[bytes]()
    for item, is_written in zip(placed, whole, strict=False):
        state.fold(item.event, item.offset, item.append_time)
        if is_written or state.changed.document:
            document, shown, changes = pack_document(state), texts(documents(state)), []
        elif state.changed.assigned:
            changes.append(pack_changes(state))
        state.changed = Changed()
        found = changed_texts({name: shown[name] for name in _NAMES}, changes)
        expected = {name: getattr(state, name).resolve() for name in _NAMES}
        assert values.dump(ordered(found)) == values.dump(ordered(expected))
        again = unpack(RUN, pack_keys(state.keys, state.latest), document, changes)
        assert pack_document(again) == pack_document(state)
