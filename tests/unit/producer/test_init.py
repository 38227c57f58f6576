"""Starting and finishing runs: modes, names, folders, and missing servers."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.format import TopicCode
from tests.unit.producer.programs import BEGIN, finished
from tests.unit.producer.spooled import of_topic, only_run, primary, rows, writers

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_record_describes_the_run(tmp_path: Path) -> None:
    """Names, config and host are in one record before all others."""
    source = """
import argparse, runstream
run = runstream.init(
    mode="offline", project="p", id="r", name="n", notes="some", tags=["a", "b"], group="g", job_type="train",
    config=argparse.Namespace(lr=0.1, layers=[1, 2], net={"depth": 3}, device=object),
)
"""
    assert finished(tmp_path, source, begin="")[0] == 0

    entries = of_topic(primary(tmp_path), TopicCode.CONFIG)[0]
    found = {(scope, *path): value for scope, operation, path, value in entries if operation == "set"}
    expected = {"name": "n", "notes": "some", "tags": ["a", "b"], "group": "g", "job_type": "train"}
    assert expected == {name: found["attribute", name] for name in expected}
    config = {path[1]: value for path, value in found.items() if path[0] == "config"}
    assert config == {"lr": 0.1, "layers": [1, 2], "net": {"depth": 3}, "device": "builtins.object"}
    assert socket.gethostname() == found["metadata", "host"]
    assert any(item.startswith("msgspec==") for item in found["metadata", "packages"])


def test_the_run_folder_is_private_and_described(tmp_path: Path) -> None:
    """Only the user can read the run folder; run.json and writer.json describe it."""
    finished(tmp_path, "run.log({'x': 1})")

    run = only_run(tmp_path)
    assert {0o700} == {path.stat().st_mode & 0o777 for path in [run, *run.rglob("*")] if path.is_dir()}
    assert {0o600} == {path.stat().st_mode & 0o777 for path in run.rglob("*") if path.is_file()}
    description = json.loads((run / "run.json").read_text())
    assert tuple(description[name] for name in ("version", "run_id", "entity", "project", "mode")) == (
        1,
        "r1",
        None,
        "demo",
        "offline",
    )
    writer = json.loads((primary(tmp_path) / "writer.json").read_text())
    assert (writer["role"], writer["continues"]) == ("primary", [])
    assert writer["pid_started"] > 0


def test_an_offline_run_prints_the_sync_command(tmp_path: Path) -> None:
    """An offline run starts no process, and prints the command that delivers it."""
    _, _, errors = finished(tmp_path, "run.log({'x': 1})", begin=BEGIN.replace('{"silent": True}', "None"))

    folder = only_run(tmp_path).relative_to(tmp_path)
    assert f"runstream: To deliver this offline run: runstream sync {folder}\n" in errors
    assert not (only_run(tmp_path) / "logs" / "guardian.log").exists()


def test_a_silent_run_prints_nothing(tmp_path: Path) -> None:
    """The only output is that of the program."""
    assert finished(tmp_path, "print('mine')") == (0, "mine\n", "")


def test_a_disabled_run_accepts_everything_and_records_nothing(tmp_path: Path) -> None:
    """A disabled run accepts every call, including invalid arguments and calls after its end."""
    source = """
run = runstream.init(mode="disabled", config={"lr": 1}, project="p")
run.log({"x": object()}); run.log({1: 2}); runstream.log({"y": 1}, step=5)
run.summary["best"] = 2; run.config.epochs = 3
run.define_metric("x", summary="min"); run.define_metric("x", summary="nonsense")
run.alert("t", "x", level="nonsense", wait_duration="nonsense")
run.strange = 1
assert run.summary["y"] == 1
assert (run.summary["best"], run.config.lr, run.config["epochs"], run.step) == (2, 1, 3, 0)
assert (run.disabled, run.dir, run.url, run.offline) == (True, tempfile.gettempdir(), None, False)
run.finish(); run.log({"z": 1})
"""
    assert finished(tmp_path, source, begin="import runstream, tempfile") == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_second_init_returns_the_active_run(tmp_path: Path) -> None:
    """While a run is active, init() warns and returns it, whatever the arguments are."""
    source = """
again = runstream.init(project="other", mode="offline")
assert again is run is runstream.run
run.finish()
assert runstream.run is None
other = runstream.init(mode="offline", settings={"silent": True})
assert other is not run and other.id != run.id
"""
    status, _, errors = finished(tmp_path, source, begin=BEGIN.replace('{"silent": True}', '{"quiet": True}'))

    assert status == 0
    assert "WARNING Run r1 is active, and init() returns it" in errors


def test_resume_must_is_an_error_while_a_run_is_active(tmp_path: Path) -> None:
    """The active run is not returned in place of the requested one."""
    source = """
try:
    runstream.init(id="other", mode="offline", resume="must")
except runstream.Error as error:
    print(error)
"""
    status, output, _ = finished(tmp_path, source)

    assert status == 0
    assert "while run r1 is active: call runstream.finish() first" in output


def test_a_disabled_run_is_not_returned_again(tmp_path: Path) -> None:
    """A run that starts while a disabled run is active is a new run, since it is to be recorded."""
    source = """
run = runstream.init(mode="offline", settings={"silent": True})
assert run is runstream.run and not run.disabled
run.log({"x": 1}); disabled.finish()
assert run is runstream.run
"""
    begin = 'import runstream\ndisabled = runstream.init(mode="disabled")'

    assert finished(tmp_path, source, begin=begin) == (0, "", "")


def test_selecting_config_keys_is_a_warning(tmp_path: Path) -> None:
    """config_include_keys and config_exclude_keys work, with a warning that W&B deprecates them."""
    begin = (
        'import runstream\nrun = runstream.init(mode="offline", config={"a": 1, "b": 2}, config_exclude_keys=["a"])\n'
    )

    status, output, errors = finished(tmp_path, "print(run.config.as_dict())", begin=begin)

    assert (status, output) == (0, "{'b': 2}\n")
    assert "config_exclude_keys=...) is deprecated" in errors


def test_two_processes_with_the_same_id_are_two_writers(tmp_path: Path) -> None:
    """Neither overwrites the other: each process has a separate folder and writer."""
    for value in range(2):
        finished(tmp_path, f"run.log({{'x': {value}}})")

    found = sorted(
        rows(writer)[0].values["x"] for run in (tmp_path / "runstream").iterdir() for writer in writers(run, "primary")
    )
    assert found == [0, 1]


@pytest.mark.parametrize(
    ("more", "settings", "role", "label"),
    [
        ({}, {}, "primary", ""),
        ({"RANK": "0"}, {}, "primary", "rank 0"),
        ({"RANK": "3"}, {}, "worker", "rank 3"),
        ({"RANK": "3"}, {"x_primary": True, "x_label": "chief"}, "primary", "chief"),
        ({}, {"x_primary": False, "x_label": "loader"}, "worker", "loader"),
    ],
)
def test_a_shared_run_has_roles(
    tmp_path: Path, more: dict[str, str], settings: dict[str, Any], role: str, label: str
) -> None:
    """In a shared run rank 0 is the primary unless the settings specify another process; writers have labels."""
    begin = f"""
import runstream
settings = {settings!r} | {{"silent": True, "finish_timeout_s": 0}}
run = runstream.init(mode="shared", id="r1", settings=settings)
"""
    finished(tmp_path, "run.log({'x': 1})", begin=begin, **more)

    (writer,) = writers(only_run(tmp_path), role)
    assert label == json.loads((writer / "writer.json").read_text())["label"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("project='a/b'", "project 'a/b'"),
        ("project='x' * 129", "expected at most 128 characters"),
        ("entity=' '", "Invalid entity ' ': expected a string that is not empty"),
        ("id='..'", "run id '..'"),
        ("id='a\\0b'", "run id"),
        ("mode='onlin'", "mode='onlin'"),
        ("mode='shared'", "needs the id"),
        ("settings={'finish_timeout_s': -1}", "finish_timeout_s=-1"),
        ("settings={'disk': 'maybe'}", "disk='maybe'"),
        ("config=3", "Invalid config 3"),
    ],
)
def test_an_invalid_argument_is_named(tmp_path: Path, arguments: str, message: str) -> None:
    """The error names the argument, and nothing is created."""
    status, _, errors = finished(tmp_path, f"runstream.init({arguments})", begin="import runstream\n")

    assert status == 1
    assert message in errors.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_calls_after_finish_are_errors(tmp_path: Path) -> None:
    """A finished run accepts no calls, and functions of the module need a new run."""
    source = """
run.finish()
for call in (
    lambda: run.log({"x": 1}), lambda: run.summary.update({"x": 1}), lambda: run.config.update({"x": 1}),
    lambda: run.define_metric("x"), lambda: setattr(run, "name", "n"),
    lambda: runstream.log({}), lambda: runstream.config.x, lambda: runstream.summary["x"],
):
    try:
        call()
    except runstream.Error:
        continue
    raise SystemExit("no error")
"""
    assert finished(tmp_path, source) == (0, "", "")


def test_an_unknown_setting_is_a_warning(tmp_path: Path) -> None:
    """Settings of other versions do not stop a script."""
    begin = (
        "import runstream\nrun = runstream.init(mode='offline', settings={'silent': True, 'start_method': 'thread'})"
    )
    assert finished(tmp_path, "", begin=begin) == (
        0,
        "",
        "runstream: WARNING Unknown setting 'start_method' is ignored\n",
    )


def test_console_lines_are_captured(tmp_path: Path) -> None:
    """Output of Python goes to the terminal as before, and to the run's log with time and stream."""
    source = """
print("one"); sys.stderr.write("two\\nthr"); sys.stderr.write("ee\\n")
for percent in range(100):
    sys.stdout.write(f"\\r{percent} %")
run.finish()
print("after")
"""
    status, output, errors = finished(tmp_path, source)

    lines = [line.split(" ", 2)[1:] for line in (only_run(tmp_path) / "logs" / "console.log").read_text().splitlines()]
    assert lines == [["stdout", "one"], ["stderr", "two"], ["stderr", "three"], ["stdout", "99 %"]]
    assert (status, errors) == (0, "two\nthree\n")
    assert output.endswith("99 %after\n")


def test_the_import_loads_few_modules(tmp_path: Path) -> None:
    """Importing runstream does not import the libraries for settings and for reading."""
    heavy = ("pydantic", "httpx", "numpy", "aiokafka", "rich")
    source = f"import sys, runstream\nprint([name for name in {heavy} if name in sys.modules])"
    assert finished(tmp_path, source, begin="") == (0, "[]\n", "")


def test_init_does_not_import_the_http_client(tmp_path: Path) -> None:
    """A run without a server to ask starts without the libraries for requests and for command lines."""
    source = "print([name for name in ('httpx', 'rich', 'click', 'numpy', 'aiokafka') if name in sys.modules])"
    begin = "import runstream, sys\nrun = runstream.init(mode='offline', settings={'quiet': True})\n"
    assert finished(tmp_path, source, begin=begin) == (0, "[]\n", "")


def test_ignored_arguments_are_warnings(tmp_path: Path) -> None:
    """Arguments of W&B that are not needed cause a warning if they are passed."""
    source = """
run = runstream.init(
    mode="offline", settings={"quiet": True}, force=True, anonymous="allow", magic=True, monitor_gym=True,
    tensorboard=False,
)
"""
    status, _, errors = finished(tmp_path, source, begin="import runstream\n")

    assert status == 0
    for name in ("force", "anonymous", "magic", "monitor_gym"):
        assert f"WARNING init({name}=" in errors
    assert errors.count("WARNING") == 4


def test_the_sources_of_the_config_take_precedence_in_order(tmp_path: Path) -> None:
    """Sweep, launcher, argument and files take precedence in this order, and the keys of the sweep are locked."""
    for name, keys in {
        "config-defaults.yaml": "abcd",
        "more.yaml": "abc",
        "launch.yaml": "ab",
        "sweep.yaml": "a",
    }.items():
        (tmp_path / name).write_text("".join(f"{key}: {{value: {name}}}\n" for key in keys))
    source = """
run = runstream.init(
    mode="offline", project="p", config={"b": "given", "c": "given"}, settings={"quiet": True}
)
print(run.config.as_dict())
run.config.update({"a": 1, "b": 1}, allow_val_change=True)
print(run.config.a, run.config.b)
"""
    environ = {
        "RUNSTREAM_CONFIG_PATHS": "more.yaml",
        "WANDB_LAUNCH_CONFIG_PATH": "launch.yaml",
        "WANDB_SWEEP_PARAM_PATH": "sweep.yaml",
    }
    _, output, errors = finished(tmp_path, source, begin="import runstream\n", **environ)

    expected = {"a": "sweep.yaml", "b": "launch.yaml", "c": "given", "d": "config-defaults.yaml"}
    assert output.splitlines() == [str(expected), "sweep.yaml 1"]
    assert "by the sweep; the change is ignored" in errors
    entries = of_topic(primary(tmp_path), TopicCode.CONFIG)[0]
    assert {path[0]: value for scope, _, path, value in entries if scope == "config"} == expected


def test_an_empty_entity_or_project_is_the_default(tmp_path: Path) -> None:
    """Scripts pass on variables of their environment, which can be empty."""
    source = """
run = runstream.init(mode="offline", entity="", project="", settings={"silent": True})
print(run.path == f"Uncategorized/{run.id}")
"""
    assert finished(tmp_path, source, begin="import runstream\n") == (0, "True\n", "")


def test_run_settings_are_a_frozen_copy(tmp_path: Path) -> None:
    """The settings have the properties of the run; assigning to them is an error."""
    source = """
settings = runstream.Settings(run_group="g")
run = runstream.init(mode="offline", project="p", id="r1", settings=settings)
found = run.settings
assert (found.run_id, found.project, found.run_group, found.mode) == ("r1", "p", "g", "offline")
try:
    found.project = "other"
except ValueError:
    assert (run.project, run.settings.project) == ("p", "p") and found is not run.settings
    print("refused")
"""
    _, output, _ = finished(tmp_path, source, begin="import runstream\n")

    assert output == "refused\n"


def test_invalid_tags_of_a_running_run_change_nothing(tmp_path: Path) -> None:
    """While a run is running, an invalid tag causes a warning."""
    source = "run.tags = ('a',); run.tags = ('',); print(run.tags); run.tags += ('b',); print(run.tags)"
    _, output, errors = finished(tmp_path, source, begin=BEGIN.replace('{"silent": True}', '{"quiet": True}'))

    assert output == "('a',)\n('a', 'b')\n"
    assert "WARNING Invalid tag" in errors


def test_run_dir_exists_and_is_writable(tmp_path: Path) -> None:
    """Files can be written to ``run.dir``, which is below the requested folder; a disabled run has one, too."""
    source = """
from pathlib import Path
for mode in ("offline", "disabled"):
    with runstream.init(mode=mode, dir="elsewhere", settings={"silent": True}) as run:
        model = Path(run.dir) / f"model-{run.id}.txt"
        model.write_text("x")
        print(Path("elsewhere").resolve() in model.resolve().parents)
        model.unlink()
"""
    _, output, errors = finished(tmp_path, source, begin="import runstream\n")

    assert (output, errors) == ("True\nFalse\n", "")
