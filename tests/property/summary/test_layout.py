"""The stored parts of a run equal its whole state, although each batch only writes the parts that it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.summary.layout import Layout
from runstream_consumers.summary.packing import pack_document, pack_keys, unpack, unpack_keys
from runstream_schemas import values
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.summary_state import Changed, SummaryState
from tests.property.summary.runs import RUN, Placed, runs

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stored:
    """The parts of one run as in the tables; a part is full with two keys."""

    def __init__(self) -> None:
        self.state = SummaryState(run=RUN)
        self.layout = Layout(self.state, full=2)
        self.state.changed.rules = True
        self.keys: dict[int, bytes] = {}
        self.shown: dict[int, str] = {}

    def batch(self, placed: Sequence[Placed]) -> None:
        """Fold events and write the parts that changed."""
        state, layout = self.state, self.layout
        for item in placed:
            state.fold(item.event, item.offset, item.append_time)
        for part, tree in layout.projections(state, layout.touched(state)).items():
            self.keys[part] = pack_keys(layout.keys_of(state, part), None if part else state.latest)
            self.shown[part] = values.dump(tree)
        state.changed = Changed()

    def load(self) -> None:
        """Continue from the stored parts."""
        first, *more = (self.keys[part] for part in sorted(self.keys) if part >= 0)
        state = unpack(RUN, first, pack_document(self.state))
        parts = [list(state.keys), *(unpack_keys(state, part) for part in more)]
        self.state, self.layout = state, Layout(state, parts, full=2, by_hand=min(self.keys) < 0)

    @property
    def summary(self) -> str:
        """The summary that is served to readers."""
        names = {name: value for text in self.shown.values() for name, value in values.load(text).items()}
        assert len(names) == sum(len(values.load(text)) for text in self.shown.values())
        return values.dump(dict(sorted(names.items())))


@given(placed=runs(), ends=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=4))
def test_parts_together_equal_the_whole_state(placed: list[Placed], ends: list[tuple[int, bool]]) -> None:
    """After every batch and every restart, the parts have the summary and the bytes of the whole state."""
    stored = Stored()
    whole = SummaryState(run=RUN)
    start = 0
    for end, restart in [*sorted(ends), (len(placed), True)]:
        batch = placed[start:end]
        start = max(start, end)
        stored.batch(batch)
        for item in batch:
            whole.fold(item.event, item.offset, item.append_time)
        assert stored.summary == values.dump(summary_of(whole))
        if restart:
            stored.load()
            assert pack_keys(stored.state.keys, stored.state.latest) == pack_keys(whole.keys, whole.latest)
