"""Properties of a run, which of them can be set, and deprecated names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runstream import Run, Settings, UsageError
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

FACTS = """
print(json.dumps({name: getattr(run, name) for name in (
    "id", "name", "notes", "tags", "group", "job_type", "project", "entity", "path", "sweep_id", "start_time",
    "starting_step", "step", "resumed", "offline", "disabled", "url", "project_url", "sweep_url", "dir")}))
"""


def test_an_offline_run_has_its_properties_and_no_urls(tmp_path: Path) -> None:
    """Names and flags are those of ``init``."""
    begin = """
import json, runstream
run = runstream.init(entity="ada", project="demo", id="r1", name="my run", notes="a\\nb", tags=["x", "y"],
                     group="g", job_type="train", mode="offline")
"""

    status, output, errors = finished(tmp_path, FACTS, begin=begin, RUNSTREAM_SWEEP_ID="s1")

    assert status == 0, errors
    facts = json.loads(output)
    folder, started = facts.pop("dir"), facts.pop("start_time")
    assert folder.startswith(str(tmp_path))
    assert started > 1_700_000_000
    assert facts == {
        "id": "r1",
        "name": "my run",
        "notes": "a\nb",
        "tags": ["x", "y"],
        "group": "g",
        "job_type": "train",
        "project": "demo",
        "entity": "ada",
        "path": "ada/demo/r1",
        "sweep_id": "s1",
        "starting_step": 0,
        "step": 0,
        "resumed": False,
        "offline": True,
        "disabled": False,
        "url": None,
        "project_url": None,
        "sweep_url": None,
    }
    assert "URL not available in offline run" in errors


def test_a_disabled_run_accepts_everything(tmp_path: Path) -> None:
    """A disabled run refuses and records nothing."""
    begin = 'import json, runstream\nrun = runstream.init(mode="disabled", name="n", tags=["t"])\n'
    use = """
run.log({"a": 1}); run.alert("t", "x"); run.mark_preempting(); run.name = "z"; run.tags += ("u",)
run.pin_config_keys(["lr"]); run.finish(); run.log({"a": 2})
"""

    status, output, errors = finished(tmp_path, FACTS + use, begin=begin)

    assert status == 0, errors
    facts = json.loads(output)
    assert (facts["disabled"], facts["offline"], facts["url"], facts["name"]) == (True, False, None, "n")
    assert not (tmp_path / "runstream").exists()


@pytest.mark.parametrize(
    ("call", "warning"),
    [
        ('assert run.project_name() == "demo"', "use project instead"),
        ("assert run.get_url() is None", "use url instead"),
        ("assert run.get_project_url() is None", "use project_url instead"),
        ("assert run.get_sweep_url() is None", "use sweep_url instead"),
        ('assert run.mode == "dryrun"', "use offline or disabled instead"),
        ("run.join(exit_code=0)", "use finish() instead"),
        ("run.finish(quiet=True)", "the setting quiet instead"),
        ("run.define_metric('m', summary='copy')", "use define_metric() without summary instead"),
    ],
)
def test_a_deprecated_name_works_with_a_warning(tmp_path: Path, call: str, warning: str) -> None:
    """Names that are not in the newest reference are kept, with a warning that names the replacement."""
    begin = 'import runstream\nrun = runstream.init(project="demo", id="r1", mode="offline")\n'

    status, _, errors = finished(tmp_path, call, begin=begin)

    assert status == 0, errors
    assert "deprecated" in errors
    assert warning in errors


def test_the_config_of_a_sweep_takes_precedence() -> None:
    """The constructor accepts three configs: sweep, launcher, and user, in order of precedence."""
    run = Run(Settings(), {"a": 1, "b": 1, "c": 1}, sweep_config={"a": 3}, launch_config={"a": 2, "b": 2})

    assert run.config.as_dict() == {"a": 3, "b": 2, "c": 1}


def test_a_run_that_was_not_started_refuses_rows() -> None:
    """A run is started by ``init()``; with the constructor alone, log() raises an error."""
    run = Run(Settings(project="p"))

    with pytest.raises(UsageError, match=r"runstream\.init\(\)"):
        run.log({"a": 1})
    assert (run.project, run.step, run.resumed, run.url) == ("p", 0, False, None)


@pytest.mark.parametrize("name", ["id", "project", "entity", "group", "job_type", "step", "resumed", "url", "dir"])
def test_other_properties_cannot_be_set(name: str) -> None:
    """Only name, notes and tags can be set."""
    with pytest.raises(AttributeError):
        setattr(Run(Settings()), name, "x")


def test_an_unknown_attribute_cannot_be_set() -> None:
    """The error suggests the config, so that a misspelled name is noticed."""
    with pytest.raises(Exception, match=r"run\.config\['learning_rate'\]"):
        Run(Settings()).learning_rate = 0.1


def test_the_settings_of_a_run_are_frozen() -> None:
    """``run.settings`` is a frozen copy."""
    run = Run(Settings(project="p"))

    with pytest.raises(ValueError, match="frozen"):
        run.settings.project = "q"
    assert run.project == "p"


def test_the_static_config_is_read_only() -> None:
    """``config_static`` has the items and attributes of ``config``."""
    static = Run(Settings(), {"lr": 0.1, "_own": 1}).config_static

    assert (static["lr"], static.lr, list(static.keys())) == (0.1, 0.1, ["lr"])
    with pytest.raises(AttributeError, match="read-only"):
        static["lr"] = 1
    with pytest.raises(AttributeError, match="read-only"):
        static.lr = 1
    with pytest.raises(AttributeError):
        static.update({"lr": 1})


def test_runstream_run_is_the_active_run(tmp_path: Path) -> None:
    """``runstream.run`` is None without an active run."""
    begin = "import runstream\nassert runstream.run is None\n"
    use = """
run = runstream.init(project="p", mode="offline", settings={"silent": True})
assert runstream.run is run
run.finish()
assert runstream.run is None
with runstream.init(project="p", mode="offline", settings={"silent": True}) as again:
    assert runstream.run is again
assert runstream.run is None
"""

    status, _, errors = finished(tmp_path, use, begin=begin)

    assert status == 0, errors
