"""The exception that ended a process is recorded with its traceback, whatever it is made of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from runstream.spool.format import TopicCode
from runstream.tracking.lifecycle.failure import LONGEST_MESSAGE, LONGEST_TRACEBACK, failure_of
from runstream.tracking.lifecycle.outcome import from_block, from_exception
from tests.unit.producer.programs import BEGIN, finished
from tests.unit.producer.spooled import of_topic, only_run, primary, writers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runstream_schemas.events import Failure

#: Longest texts, with the line that marks the cut.
_MARK = 60


@pytest.mark.parametrize(
    ("source", "reason", "kind", "lines"),
    [
        (
            "with run:\n    int('x')",
            "ValueError: invalid literal",
            "ValueError",
            ["line 6, in <module>", "ValueError: invalid"],
        ),
        ("int('x')", "ValueError: invalid literal", "ValueError", ["Traceback (most recent", "ValueError: invalid"]),
        ("sys.excepthook = print\nint('x')", "ValueError: invalid literal", "ValueError", ["ValueError: invalid"]),
        ("sys.exit('no data')", "SystemExit: no data", "SystemExit", ["line 5, in <module>", "SystemExit: no data"]),
        ("with run:\n    sys.exit('no data')", "SystemExit: no data", "SystemExit", ["SystemExit: no data"]),
        ("with run:\n    raise KeyboardInterrupt", "interrupted (Ctrl-C)", "KeyboardInterrupt", ["in <module>"]),
        (
            "try:\n    int('x')\nexcept ValueError:\n    sys.exit(3)",
            "ValueError: invalid literal",
            "ValueError",
            ["line 6, in <module>"],
        ),
        (
            "try:\n    int('x')\nexcept ValueError:\n    run.finish(1)",
            "ValueError: invalid literal",
            "ValueError",
            ["line 6, in <module>"],
        ),
        (
            "try:\n    int('x')\nexcept ValueError as error:\n    raise KeyError('batch') from error",
            "KeyError: 'batch'",
            "KeyError",
            ["ValueError: invalid", "The above exception was the direct cause", "KeyError: 'batch'"],
        ),
    ],
)
def test_the_exception_that_ends_a_run_is_recorded(
    tmp_path: Path, source: str, reason: str, kind: str, lines: list[str]
) -> None:
    """The exit has the type, the message and the traceback as Python prints it, chained exceptions included."""
    finished(tmp_path, source)

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["reason"].startswith(reason)
    assert record["failure"]["type"] == kind
    assert all(line in record["failure"]["traceback"] for line in lines)


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    int('x')\nexcept ValueError:\n    sys.exit(0)",
        "try:\n    int('x')\nexcept ValueError:\n    run.finish()",
    ],
)
def test_a_handled_exception_is_no_failure(tmp_path: Path, source: str) -> None:
    """The exception of an ``except`` block in which the run finishes is not recorded."""
    finished(tmp_path, source)

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert "failure" not in record


_WORKERS = {
    "fork": "if os.fork() == 0:\n    int('x')\nos.wait()",
    "fork that logs": "if os.fork() == 0:\n    run.log({'a': 1})\n    int('x')\nos.wait()",
    "multiprocessing, fork": "import multiprocessing as m\np = m.get_context('fork').Process(target=int, args='x')\n"
    "p.start(); p.join()\nassert p.exitcode == 1",
}


@pytest.mark.parametrize("source", _WORKERS.values(), ids=_WORKERS)
def test_the_exception_of_a_forked_process_is_recorded(tmp_path: Path, source: str) -> None:
    """A forked process that an exception ends leaves an exit with the exception, also if it never logged."""
    finished(
        tmp_path, source + "\nos._exit(0) if os.getpid() != run_pid else None", begin=BEGIN + "run_pid = os.getpid()\n"
    )

    (child,) = writers(only_run(tmp_path), "child")
    (record,) = of_topic(child, TopicCode.EXIT)
    assert (record["state"], record["failure"]["type"]) == ("failed", "ValueError")
    assert "invalid literal" in record["failure"]["traceback"]
    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["state"] == "finished"


def test_a_forked_process_without_an_exception_leaves_no_writer(tmp_path: Path) -> None:
    """A forked process that never logs and ends normally, by its exit code or by Ctrl-C is not a writer."""
    fork = "\n".join(
        f"if os.fork() == 0:\n    {end}\nos.wait()" for end in ("sys.exit(3)", "raise KeyboardInterrupt", "sys.exit()")
    )
    finished(tmp_path, fork)

    assert writers(only_run(tmp_path), "child") == []


_SPAWNED = """
import multiprocessing, runstream
def work():
    run = runstream.init(project="demo", id="r1", mode="offline", settings={"silent": True})
    run.log({"a": 1})
    int("x")
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
"""


def test_the_exception_of_a_spawned_process_is_recorded(tmp_path: Path) -> None:
    """A process that multiprocessing spawned leaves the exception that ended it, not only "exit code 1"."""
    (tmp_path / "spawns.py").write_text(_SPAWNED)
    finished(
        tmp_path, "import runpy\nif __name__ == '__main__': runpy.run_path('spawns.py', run_name='__main__')", begin=""
    )

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (record["state"], record["reason"][:19]) == ("failed", "ValueError: invalid")
    assert "in work" in record["failure"]["traceback"]


class _HostileType(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in {"__qualname__", "__module__", "__name__"}:
            raise RuntimeError(name)
        return super().__getattribute__(name)


class _HostileError(Exception, metaclass=_HostileType):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class _Text(str):
    __slots__ = ()

    def __getitem__(self, key: Any) -> NoReturn:
        raise RuntimeError(key)

    __len__ = encode = __format__ = __getitem__  # type: ignore[assignment]


class _TextError(Exception):
    def __str__(self) -> str:
        return _Text("text of a subclass")


def _deep(depth: int) -> None:
    _deeper(depth)


def _deeper(depth: int) -> None:
    _deep(depth + 1)


def _raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def _chain() -> BaseException:
    error: BaseException | None = None
    for number in range(3_000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    assert error is not None
    return error


def _bounded(found: Failure) -> None:
    assert len(found.message) <= LONGEST_MESSAGE + _MARK
    assert len(found.traceback) <= LONGEST_TRACEBACK + _MARK
    for text in (found.type, found.message, found.traceback):
        text.encode()


@pytest.mark.parametrize(
    "error",
    [
        _HostileError(),
        _TextError(),
        ValueError("\ud800 lone", "\0"),
        ValueError("x" * 10_000_000),
        _raised(lambda: _deep(0)),
        _chain(),
        SystemExit(_HostileError()),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "\udfff"),
        ExceptionGroup("several", [ValueError(1), OSError(2)]),
    ],
    ids=lambda error: object.__repr__(error).partition(" object")[0],
)
def test_any_exception_becomes_text(error: BaseException) -> None:
    """Hostile, huge, deep and unencodable exceptions become bounded text that UTF-8 can encode."""
    _bounded(failure_of(error))
    for outcome in (from_exception(error), from_block(error)):
        assert str(outcome.as_record()["reason"]).encode()


def test_a_long_traceback_is_cut_in_the_middle() -> None:
    """The beginning and the end remain, and the cut is visible."""
    found = failure_of(ValueError("first" + "x" * 100_000 + "last"))

    assert found.traceback.startswith("ValueError: first")
    assert found.traceback.endswith("xlast\n")
    assert "characters left out]" in found.traceback


def test_class_names_are_those_of_a_traceback() -> None:
    """The module is part of the type, unless it is built in; the reason has the name only."""
    error = _raised(lambda: sys.modules["json"].loads("{"))
    assert failure_of(error).type == "json.decoder.JSONDecodeError"
    assert from_exception(error).reason.startswith("JSONDecodeError: Expecting")
