"""``run.summary`` in the process equals the summary that the server computes from the same records."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from runstream.tracking.summary.summary import Summary
from runstream_schemas import values
from tests.property.assembly.stories import Process, Server
from tests.property.summary.runs import ASSIGNED, KEYS, ROWS

_STEPS = st.none() | st.integers(0, 9)
_COMMITS = st.sampled_from([None, None, True, False])
_AGGREGATES = st.none() | st.sets(
    st.sampled_from(["min", "max", "mean", "last", "first", "best", "copy", "none"]), min_size=1, max_size=3
).map(lambda names: ",".join(sorted(names)))

_ACTIONS = st.one_of(
    st.tuples(st.just("log"), ROWS, _STEPS, _COMMITS),
    st.tuples(st.just("log"), ROWS, st.none(), st.none()),
    st.tuples(st.just("many"), st.integers(1, 150)),
    st.tuples(st.just("full"), st.integers(60, 90)),
    st.tuples(
        st.just("define"),
        st.sampled_from(["a", "b", "a.b", "val/*", "*", "b.val/x"]),
        _AGGREGATES,
        st.sampled_from([None, "maximize", "minimize"]),
        st.booleans(),
    ),
    st.tuples(st.just("set"), st.lists(KEYS, min_size=1, max_size=2), ASSIGNED),
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.sampled_from(["deliver", "delete", "summary", "damage"])),
)
_ALL = st.lists(_ACTIONS, max_size=12)


@given(actions=_ALL)
@example(actions=[("large",), ("summary",), ("damage",), ("full", 90), ("large",)])
def test_process_and_server_agree(actions: list[Any]) -> None:
    """They agree whatever was logged, defined late, assigned, delivered, deleted, dropped, damaged or read between."""
    server = Server()
    with TemporaryDirectory() as folder:
        process = Process(Path(folder) / "one", server, 1)
        for action in actions:
            act(process, action)
        assert server_of(process, server) == shown(process)
        assert values.dump(process.end()) == server.summary


@given(before=_ALL, after=_ALL)
def test_resumed_process_and_server_agree(before: list[Any], after: list[Any]) -> None:
    """A resumed process continues from the server's state; definitions apply to the rows of both processes."""
    server = Server()
    with TemporaryDirectory() as folder:
        first = Process(Path(folder) / "one", server, 1)
        for action in before:
            act(first, action)
        first.end()
        second = Process(Path(folder) / "two", server, 2, resumes=first)
        for action in after:
            act(second, action)
        assert server_of(second, server) == shown(second)
        assert values.dump(second.end()) == server.summary


def act(process: Process, action: tuple[Any, ...]) -> None:
    """Perform one action."""
    match action:
        case ("log", data, step, commit):
            process.log(data, step, commit)
        case (("many" | "full") as name, count):
            getattr(process, f"log_{name}")(count)
        case ("define", name, summary, goal, overwrite):
            process.define_metric(name, summary, goal, overwrite=overwrite)
        case ("set", path, value):
            set_by_hand(process, path, value)
        case ("remove", name):
            if name in process.set_by_hand:
                del process.set_by_hand[name]
        case (name,):
            getattr(process, name)()


def set_by_hand(process: Process, path: list[str], value: Any) -> None:
    """Assign a value, and create the dicts on its path."""
    here = process.set_by_hand
    for name in path[:-1]:
        if not isinstance(here.get(name), Summary):
            here[name] = {}
        if not isinstance(here.get(name), Summary):
            return  # the disk is still full
        here = here[name]
    here[path[-1]] = value


def server_of(process: Process, server: Server) -> str:
    """Return the summary of the server once everything is delivered."""
    process.deliver()
    return server.summary


def shown(process: Process) -> str:
    """Return the summary of the process in the same form."""
    return values.dump(process.summary())
