"""Several runs in one process, and the functions of the module with and without an active run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.producer.programs import finished
from tests.unit.producer.spooled import steps_and_values, writers

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import runstream
def init(id, **more):
    return runstream.init(project="demo", id=id, mode="offline", settings={"quiet": True}, **more)
"""


def _rows(folder: Path) -> dict[str, list[tuple[int, dict[str, object]]]]:
    """Return the rows of each run below a folder, by its id."""
    return {
        run.name.rpartition("-")[2]: steps_and_values(writers(run, "primary")[0])
        for run in (folder / "runstream").iterdir()
        if writers(run, "primary")
    }


@pytest.mark.parametrize("reinit", ["'return_previous'", "False"])
def test_return_previous_returns_the_active_run_silently(tmp_path: Path, reinit: str) -> None:
    """There is no warning, as the program requested the active run."""
    source = f"a = init('a'); assert init('b', reinit={reinit}) is a; assert runstream.run is a"
    assert finished(tmp_path, source, begin=BEGIN)[::2] == (0, "")


@pytest.mark.parametrize("reinit", ["'finish_previous'", "True"])
def test_finish_previous_finishes_all_active_runs(tmp_path: Path, reinit: str) -> None:
    """Runs created with ``create_new`` are finished, too, and the new run is the active one."""
    source = f"""
a, b = init("a"), init("b", reinit="create_new")
c = init("c", reinit={reinit})
assert runstream.run is c
for ended in (a, b):
    try:
        ended.log({{"x": 1}})
    except runstream.UsageError:
        continue
    raise SystemExit("no error")
"""
    assert finished(tmp_path, source, begin=BEGIN)[::2] == (0, "")


def test_create_new_does_not_affect_other_runs(tmp_path: Path) -> None:
    """Runs can be open at the same time; the functions of the module continue to use the active run, if any."""
    source = """
separate = init("separate", reinit="create_new")
assert runstream.run is None
a = init("a", reinit="finish_previous")
b = init("b", reinit="create_new")
assert runstream.run is a
runstream.log({"x": 1}); b.log({"y": 1}); a.log({"x": 2})
b.finish()
a.log({"x": 3})
assert runstream.run is a
a.finish()
assert runstream.run is None
"""
    assert finished(tmp_path, source, begin=BEGIN)[::2] == (0, "")
    assert _rows(tmp_path) == {
        "separate": [],
        "a": [(0, {"x": 1}), (1, {"x": 2}), (2, {"x": 3})],
        "b": [(0, {"y": 1})],
    }


def test_the_module_has_no_run_before_and_after(tmp_path: Path) -> None:
    """``runstream.run`` is None before init(), after finish() and after a with block."""
    source = """
assert runstream.run is None
a = init("a"); assert runstream.run is a
runstream.finish(); assert runstream.run is None
with init("b") as b:
    assert runstream.run is b
assert runstream.run is None
runstream.finish()
"""
    assert finished(tmp_path, source, begin=BEGIN)[::2] == (0, "")


def test_functions_of_the_module_use_the_active_run(tmp_path: Path) -> None:
    """A script without a reference to its run can log, configure, summarize, define and finish."""
    source = """
init("a")
runstream.config.lr = 0.1
runstream.define_metric("x", summary="max")
runstream.log({"x": 1}, step=4, commit=True)
runstream.summary["best"] = 2
runstream.alert("title", "text", level=runstream.AlertLevel.WARN)
runstream.mark_preempting()
assert (runstream.run.config["lr"], runstream.run.summary["best"], runstream.run.step) == (0.1, 2, 5)
runstream.teardown()
assert runstream.run is None
"""
    assert finished(tmp_path, source, begin=BEGIN)[::2] == (0, "")
    assert _rows(tmp_path) == {"a": [(4, {"x": 1})]}


@pytest.mark.parametrize(
    "call",
    [
        "log({})",
        "define_metric('x')",
        "alert('t', 'x')",
        "mark_preempting()",
        "save('x')",
        "log_artifact('x')",
        "use_artifact('x')",
        "unwatch()",
        "config.lr",
        "config['lr']",
        "config.update({})",
        "summary['x']",
        "summary.update({})",
    ],
)
def test_calls_before_init_are_errors_with_instructions(tmp_path: Path, call: str) -> None:
    """Without a run, the functions of the module raise an Error that names init()."""
    _, _, errors = finished(tmp_path, f"runstream.{call}", begin="import runstream\n")

    assert errors.splitlines()[-1].startswith(
        "runstream.exceptions.Error: No run is active: call runstream.init() before runstream."
    )


def test_config_and_summary_before_init_are_read_only(tmp_path: Path) -> None:
    """They can be accessed and displayed; setting a value raises an Error."""
    source = """
import inspect
print(runstream.config, runstream.summary)
inspect.unwrap(runstream.config)
try:
    runstream.config.lr = 1
except runstream.Error:
    print("refused")
try:
    runstream.watch(None)
except ValueError:
    print("refused")
"""
    _, output, errors = finished(tmp_path, source, begin="import runstream\n")

    assert (output.count("before runstream.init()"), output.count("refused"), errors) == (2, 2, "")


def test_a_pickled_run_is_the_active_run_in_its_process(tmp_path: Path) -> None:
    """In the same process a copy is the run itself; in another one it only has the run's properties."""
    source = """
import copy, pickle, subprocess, sys
run = init("a", config={"lr": 0.1})
pickled = pickle.dumps(run)
assert pickle.loads(pickled) is copy.deepcopy(run) is run
other = '''
import pickle, sys, runstream
run = pickle.loads(bytes.fromhex(sys.argv[1]))
print(run.id, run.path, run.name, run.config["lr"])
try:
    run.log({"x": 1})
except runstream.UsageError:
    print("refused")
'''
printed = subprocess.run([sys.executable, "-c", other, pickled.hex()], capture_output=True, text=True, check=True)
assert printed.stdout.split() == ["a", "demo/a", run.name, "0.1", "refused"], printed
"""
    assert finished(tmp_path, source, begin=BEGIN)[::2] == (0, "")
