"""Every public name of W&B, and every name that libraries import, exists or raises with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.compat.test_import_wandb import python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Made with ``tests/integrations/wandb_names.py`` of wandb 0.31.0 and the packages listed in docs/integrations.md.
NAMES: Mapping[str, Sequence[str]] = json.loads((Path(__file__).parent / "wandb_names.json").read_text())
#: What older versions of libraries import.
OLDER = {
    "wandb.apis": ["PublicApi"],
    "wandb.sdk.data_types.base_types.media": ["Media"],
    "wandb.sdk.data_types.html": ["Html"],
    "wandb.sdk.data_types.table": ["Table"],
    "wandb.util": ["add_import_hook", "generate_id", "get_module", "json_friendly", "make_artifact_name_safe"],
    "wandb.wandb_run": ["Run"],
}
#: Modules that need a library, which is replaced with an empty one.
LIBRARIES = {"keras": "keras", "sb3": "stable_baselines3", "lightgbm": "lightgbm", "xgboost": "xgboost"}


@pytest.mark.parametrize("names", [NAMES, OLDER], ids=["found by the script", "older"])
def test_every_name_can_be_imported(names: Mapping[str, Sequence[str]], tmp_path: Path) -> None:
    """``from MODULE import NAME`` succeeds; the names of an integration may need its library."""
    imports = [f"from {module} import {name}" for module, found in names.items() for name in found]
    missing = f"""
import runstream.compat.wandb
for line in {imports!r}:
    try:
        exec(line)
    except ImportError as error:
        if error.name not in {[*LIBRARIES.values()]!r}:
            print(line, error)
"""
    assert python(missing, tmp_path) == ""


def test_an_unavailable_name_raises_its_reason_when_it_is_called(tmp_path: Path) -> None:
    """Importing it does not, and the same class is returned each time; errors can be caught."""
    code = """
import runstream.compat.wandb, wandb
from wandb.apis.public import RunQueue
from wandb.integration.fastai import FastaiError
assert RunQueue is wandb.apis.public.RunQueue and not isinstance(1, RunQueue)
try:
    RunQueue()
except FastaiError:
    pass
except wandb.errors.UsageError as error:
    print(error)
print(hasattr(wandb.apis.public, "no_such_name"), "RunQueue" in dir(wandb.apis.public))
"""
    assert python(code, tmp_path).splitlines() == [
        "wandb.apis.public.RunQueue is not available: Runstream does not have launch queues",
        "False True",
    ]


def test_names_that_libraries_use_before_a_run(tmp_path: Path) -> None:
    """The user is logged in, texts are made safe for JSON and for names, and ``setup()`` returns settings."""
    code = """
import runstream.compat.wandb, wandb, wandb.env
import numpy as np
from wandb.util import json_dumps_safer, json_friendly, make_artifact_name_safe
print(bool(wandb.api.api_key), wandb.setup().settings.project, wandb.patched["keras"], wandb.join is wandb.finish)
print(json_dumps_safer({"a": np.float32(0.5), "b": np.arange(2)}), json_friendly(np.int64(3)), json_friendly("x"))
print(make_artifact_name_safe("my model/é"), len(make_artifact_name_safe("x" * 300)))
print(wandb.env.API_KEY, wandb.env.DISABLE_SSL, wandb.env.get_project("none", {}), wandb.env.is_quiet(env={}))
print(wandb.env.is_offline({"WANDB_MODE": "offline"}), wandb.env.strtobool("Yes"))
"""
    assert python(code, tmp_path).splitlines() == [
        "True Uncategorized [] True",
        '{"a": 0.5, "b": [0, 1]} (3, True) (\'x\', False)',
        "my_model__ 128",
        "WANDB_API_KEY WANDB_INSECURE_DISABLE_SSL none False",
        "True True",
    ]


def test_names_of_a_run_that_libraries_use(tmp_path: Path) -> None:
    """The folders and addresses of a run are settings as well, and the run can be attached to by its id."""
    code = """
import runstream.compat.wandb, wandb
run = wandb.init(project="p", id="r1", mode="offline", settings={"silent": True})
settings = run.settings
print(settings.run_id, settings.run_url == run.url, settings.project_url == run.project_url)
print(settings.files_dir == run.dir, settings.sync_dir == run.sync_dir, run._attach_id)
run.config.persist()
run.summary["loss"] = 1
print(run.summary._as_dict()["loss"])
wandb.join()
"""
    assert python(code, tmp_path).splitlines() == ["r1 True True", "True True r1", "1"]


def test_charts_and_media_are_instances_of_the_classes_of_media(tmp_path: Path) -> None:
    """Libraries recognize charts and media by their class."""
    code = """
import runstream.compat.wandb, wandb
from wandb.sdk.data_types.base_types.wb_value import WBValue
print(isinstance(wandb.plot.bar(wandb.Table(), "a", "b"), wandb.plot.CustomChart), isinstance(wandb.Html("x"), WBValue))
"""
    assert python(code, tmp_path) == "True True"
