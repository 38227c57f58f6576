"""The view of runs that were branched more than once."""

from __future__ import annotations

from uuid import UUID

from runstream_consumers.history.view import Bounds, BranchFacts, RunFacts, WriterFacts, lines_of, view_of

PARENT, CHILD, GRANDCHILD = (UUID(int=number) for number in (1, 2, 3))
P, C, C2, G = (UUID(int=number) for number in (10, 20, 21, 30))


def test_fork_of_a_rewound_fork_inherits_what_the_rewind_kept() -> None:
    """The child forked at 8 and was rewound to 3 before the grandchild forked at 6: of the parent, 0 to 3 remains."""
    parent = RunFacts(PARENT, {P: WriterFacts(0, began=1)})
    fork = BranchFacts(C, PARENT, 8, offset=5, append_time=2)
    rewind = BranchFacts(C2, CHILD, 3, offset=7, append_time=4)
    child = RunFacts(CHILD, {C: WriterFacts(9, 3), C2: WriterFacts(4, 5)}, {C2: frozenset([C])}, [fork, rewind])
    grandchild = RunFacts(GRANDCHILD, {G: WriterFacts(7, 7)}, {}, [BranchFacts(G, CHILD, 6, offset=0, append_time=6)])

    own, of_child, of_parent = view_of([grandchild, child, parent])

    assert own.bounds_of(G.bytes, 1) == Bounds(None, None)
    assert of_child.bounds_of(C2.bytes, 8) == Bounds(7, None)
    assert of_child.bounds_of(C.bytes, 6) == Bounds(4, None)
    assert of_parent.bounds_of(P.bytes, 0) == Bounds(4, None)
    assert [source.rank for source in (own, of_child, of_parent)] == [2, 1, 0]
    assert set(lines_of([own, of_child, of_parent]).values()) == {G}


def test_rewound_fork_hides_inherited_rows() -> None:
    """A fork at 8 that is rewound to 3 shows its parent up to 3; the rest is hidden."""
    parent = RunFacts(PARENT, {P: WriterFacts(0, began=1)})
    fork = BranchFacts(C, PARENT, 8, offset=5, append_time=2)
    rewind = BranchFacts(C2, CHILD, 3, offset=7, append_time=4)
    child = RunFacts(CHILD, {}, {C2: frozenset([C])}, [fork, rewind])

    _, of_parent = view_of([child, parent])

    assert of_parent.bounds_of(P.bytes, 0) == Bounds(9, 4)
