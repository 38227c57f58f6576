"""What is stored of a run in parts is the whole of it, though each batch writes only the parts that it touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.summary.layout import Layout
from runstream_consumers.summary.packing import pack_document, pack_keys, unpack, unpack_keys
from runstream_schemas import values
from runstream_schemas.summary_algebra.fold import Changed, RunFold
from runstream_schemas.summary_algebra.projection import summary_of
from tests.property.summary.runs import RUN, Placed, runs

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stored:
    """The parts of one run, as the tables keep them; a part is full with two keys."""

    def __init__(self) -> None:
        self.fold = RunFold(run=RUN)
        self.layout = Layout(self.fold, full=2)
        self.fold.changed.rules = True
        self.keys: dict[int, bytes] = {}
        self.shown: dict[int, str] = {}

    def batch(self, placed: Sequence[Placed]) -> None:
        """Fold events, and write the parts that they touched."""
        fold, layout = self.fold, self.layout
        for item in placed:
            fold.fold(item.event, item.offset, item.append_time)
        for part in layout.touched(fold):
            self.keys[part] = pack_keys(layout.keys_of(fold, part), None if part else fold.latest)
            self.shown[part] = values.dump(layout.shown(fold, part))
        fold.changed = Changed()

    def load(self) -> None:
        """Go on from what is stored."""
        first, *more = (self.keys[part] for part in sorted(self.keys))
        fold = unpack(RUN, first, pack_document(self.fold))
        parts = [list(fold.keys), *(unpack_keys(fold, part) for part in more)]
        self.fold, self.layout = fold, Layout(fold, parts, full=2)

    @property
    def summary(self) -> str:
        """What readers get."""
        names = {name: value for text in self.shown.values() for name, value in values.load(text).items()}
        assert len(names) == sum(len(values.load(text)) for text in self.shown.values())
        return values.dump(dict(sorted(names.items())))


@given(placed=runs(), ends=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=4))
def test_parts_add_up_to_the_run(placed: list[Placed], ends: list[tuple[int, bool]]) -> None:
    """After every batch, and after a restart, what is shown and what is kept are those of the whole fold."""
    stored = Stored()
    whole = RunFold(run=RUN)
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
            assert pack_keys(stored.fold.keys, stored.fold.latest) == pack_keys(whole.keys, whole.latest)
