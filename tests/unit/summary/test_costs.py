"""Work grows in proportion to the data, whatever a run sends: counted in instructions, not in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_schemas import events, values
from runstream_schemas.exceptions import LimitExceeded
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.summary_algebra.assignments import Assigned, Assignments
from runstream_schemas.summary_algebra.definitions import Definition, Definitions
from runstream_schemas.summary_algebra.globs import FEW, GlobTable, selects
from runstream_schemas.summary_algebra.lineage import Lineage, earlier_writers
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import Topic
from tests.costs import growth, instructions
from tests.property.summary.runs import RUN, change_event, log_event

if TYPE_CHECKING:
    from collections.abc import Callable

#: Linear work with a logarithm; quadratic work would be 4.
LINEAR = 2.6
ONE = events.Writer(id=b"1" * 16, role=events.Role.PRIMARY)


def entry(*path: str, value: object = 1, scope: events.Scope = events.Scope.UNKNOWN) -> events.Entry:
    """Return an entry that sets a value."""
    return events.Entry(op=events.Operation.SET, path=path, value=values.dump(value), scope=scope)


def changed(topic: Topic, entries: list[events.Entry], writer: events.Writer = ONE) -> SummaryState:
    """Return the state of one event."""
    state = SummaryState(run=RUN)
    state.fold(change_event(writer, topic, [events.Record(order=1, time=0, entries=tuple(entries))]), 1, 1)
    return state


def pairs(size: int) -> list[events.Entry]:
    """Return assignments to paths and their parents, in turn."""
    return [entry(*path) for n in range(size) for path in (("d", str(n), "y"), ("d", str(n)))]


def older_below(size: int) -> list[events.Entry]:
    """Return assignments to a dict, and to many keys in it, in turn."""
    return [entry(*path) for n in range(size) for path in (("d",), *((("d", f"{n}"), ("d", "x")) if n % 2 else ()))]


STORIES: dict[str, Callable[[int], Callable[[], object]]] = {
    "paths and their parents": lambda size: lambda: changed(Topic.SUMMARY, pairs(size)),
    "a dict and its keys": lambda size: lambda: changed(Topic.SUMMARY, older_below(size)),
    "one nested key again and again": lambda size: lambda: changed(Topic.SUMMARY, [entry("d", "x")] * size),
    "definitions of one name": lambda size: lambda: defined([f"m{n % 3}" for n in range(size)]),
    "definitions of many names": lambda size: lambda: defined([f"m{n}*" for n in range(size)]),
}


def defined(names: list[str]) -> object:
    """Return what is in force after defining metrics one by one, and reading what is in force at the end."""
    definitions = Definitions()
    for number, name in enumerate(names):
        definitions.define((number,), Definition(name=name, glob="*" in name, summary=frozenset({"min"})))
    return definitions.in_force(), definitions.of(("m1",))


@pytest.mark.parametrize("story", STORIES)
def test_folding_is_linear(story: str) -> None:
    """Twice as many changes in an event take twice as much work."""
    assert growth(STORIES[story], 300) < LINEAR


def test_an_older_writer_below_costs_no_search() -> None:
    """Assignments that cover nothing, since those below are later, do not look at each of them."""

    def make(size: int) -> Callable[[], object]:
        known = Assignments()
        for number in range(size):
            known.assign(("d", str(number)), Assigned((9, number), b"w", number, 1))

        def work() -> None:
            for number in range(size):
                known.assign(("d",), Assigned((1, number), b"w", number, 1))

        return work

    assert growth(make, 300) < LINEAR


def test_replaced_assignments_are_not_kept() -> None:
    """The memory of assignments is that of the ones in effect, however often they were replaced."""
    known = Assignments()
    for number in range(5000):
        known.assign(("a", "b", str(number % 3)), Assigned((number,), b"w", number, number))
    assert len(known.below(("a",))) == 3
    assert instructions(lambda: known.below(("a",))) < 5000


@pytest.mark.parametrize("kind", ["assigned below", "globs", "writers"])
def test_a_summary_is_projected_in_linear_work(kind: str) -> None:
    """Twice as many keys with twice as many assignments, definitions or continued writers take twice as much work."""

    def make(size: int) -> Callable[[], object]:
        state = SummaryState(run=RUN)
        continues: tuple[bytes, ...] = ()
        for number in range(size):
            writer = ONE
            if kind == "writers":
                writer = events.Writer(id=number.to_bytes(16, "big"), role=events.Role.PRIMARY, continues=continues)
                continues = (writer.id,)
            state.fold(log_event(writer, [{f"k{number}": 1.5}], range(number, number + 1), number), number, 1)
        below = [entry(f"k{number}", "x") for number in range(size)] if kind != "globs" else []
        names = [f"k{number}*" for number in range(size)]
        globs = [entry("m", value={"name": name, "glob": True}, scope=events.Scope.METRIC) for name in names]
        for topic, entries in ((Topic.SUMMARY, below), (Topic.CONFIG, globs if kind == "globs" else [])):
            state.fold(change_event(ONE, topic, [events.Record(order=1, time=0, entries=tuple(entries))]), 1, 1)
        return lambda: summary_of(state)

    assert growth(make, 150) < LINEAR


def test_patterns_are_compared_without_backtracking() -> None:
    """A name with many ``*`` is compared with a key in work proportional to the key."""
    glob, key = "*a" * 100 + "b", "a" * 5000
    assert instructions(lambda: selects(glob, key)) < 5000
    assert [selects("a*b*c", key) for key in ("abc", "aXbYc", "ac", "abcd", "aabbcc", "ab")] == [
        *(True, True, False, False, True, False)
    ]
    assert (selects("a*a", "a"), selects("a*a", "aa"), selects("*", ""), selects("a", "a")) == (False, True, True, True)


def test_the_longest_pattern_is_found() -> None:
    """Among prefixes and other patterns the longest one wins; of the latter, few are considered."""
    table = GlobTable({name: name for name in ("*", "a*", "ab*", "*c", "a*cd", "b", "*x*y*")})
    found = [table.find(key) for key in ("abc", "acd", "zc", "axy", "q", "b", "")]
    assert found == ["ab*", "a*cd", "*c", "*x*y*", "*", "*", "*"]
    many = GlobTable({f"*{number:05}": number for number in range(FEW * 2)})
    assert many.find("00001") == 1
    assert many.find(f"{FEW + 1:05}") is None


def test_writers_that_continue_each_other_are_found() -> None:
    """The answers are those of a search from each writer, also for a cycle."""
    names = [bytes([number]) for number in range(7)]
    edges = [(1, 0), (2, 1), (3, 2), (2, 4), (4, 5), (5, 2), (6, 6)]
    continues = {names[one]: [names[b] for a, b in edges if a == one] for one in range(7)}
    lineage = Lineage(continues)
    for writer in names:
        known = {other for other in names if lineage.is_earlier(other, writer)}
        assert known == earlier_writers(continues, writer)


def test_continued_writers_are_bounded() -> None:
    """A run whose writers continue more writers than any run has is refused, event by event."""
    state = SummaryState(run=RUN)
    for number in range(DEFAULT_LIMITS.run_continues // 1000 + 1):
        earlier = tuple((number * 1000 + index).to_bytes(16, "big") for index in range(1000))
        writer = events.Writer(id=bytes([number]) * 16, role=events.Role.PRIMARY, continues=earlier)
        event = change_event(writer, Topic.SUMMARY, [events.Record(order=number, time=0, entries=())])
        if number < DEFAULT_LIMITS.run_continues // 1000:
            state.fold(event, number, 1)
    with pytest.raises(LimitExceeded):
        state.fold(event, number, 1)
