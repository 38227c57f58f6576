"""``import wandb`` after ``import runstream.compat.wandb``, each time in a new Python process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: What the integrations of nine libraries ask for.
ASKED = [
    "from wandb.sdk.wandb_run import Run",
    "from wandb.wandb_run import Run",
    "from wandb.sdk.lib import RunDisabled",
    "from wandb.sdk.lib.config_util import ConfigError",
    "from wandb.sdk.lib.telemetry import context",
    "from wandb.sdk.lib.paths import StrPath",
    "from wandb.util import add_import_hook, generate_id",
    "from wandb.env import set_project, set_entity",
    "from wandb.errors import CommError, Error, UsageError",
    "from wandb.apis.public import Api, Run",
    "from wandb.data_types import Histogram, Image, Table",
    "import wandb; assert wandb.data_types.Histogram is wandb.Histogram",
    "from wandb.integration.xgboost import WandbCallback, wandb_callback",
    "from wandb.integration.lightgbm import wandb_callback, log_summary",
    "from wandb.xgboost import WandbCallback",
    "from wandb.plot import bar",
    "import wandb; wandb.sdk.wandb_run.Run, wandb.sdk.lib.telemetry.context, wandb.errors.CommError",
    "import wandb; wandb.init, wandb.log, wandb.finish, wandb.define_metric, wandb.Api, wandb.Settings, wandb.login",
    "import wandb; wandb.Artifact, wandb.Histogram, wandb.plot.bar, wandb.termwarn, wandb.Error, wandb.setup",
    "import wandb; assert wandb.run is None",
    "import wandb; assert wandb.__version__ == '0.31.0'",
    "import wandb; assert not hasattr(wandb, 'no_such_name')",
    "import wandb; assert {'init', 'sdk', 'Image'} <= set(dir(wandb))",
]


def python(code: str, folder: Path, **environment: str) -> str:
    """Run code in a Python process and return its output; raise an error if it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "RUNSTREAM_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder with another package named wandb, as if it were installed."""
    folder = tmp_path / "installed"
    (folder / "wandb").mkdir(parents=True)
    (folder / "wandb" / "__init__.py").write_text("mine = False\n")
    return folder


def test_every_name_that_libraries_import_exists(tmp_path: Path) -> None:
    """Modules, submodules and attributes can be imported in each form that libraries use."""
    python("import runstream.compat.wandb\n" + "\n".join(ASKED), tmp_path)


@pytest.mark.parametrize("name", ["keras", "sb3"])
def test_an_integration_without_its_library_names_the_missing_library(name: str, tmp_path: Path) -> None:
    """The module itself can be imported; its callbacks raise an ImportError."""
    code = f"""
import sys
import runstream.compat.wandb
sys.modules[{ {"keras": "keras", "sb3": "stable_baselines3"}[name]!r}] = None
import wandb.integration.{name}
try:
    from wandb.integration.{name} import WandbCallback
except ImportError as error:
    print(error)
"""
    assert {"keras": "keras", "sb3": "stable_baselines3"}[name] in python(code, tmp_path)


def test_there_is_a_spec_and_a_distribution(tmp_path: Path) -> None:
    """``find_spec`` and ``importlib.metadata`` find wandb, before and after its import."""
    code = """
import importlib.metadata as metadata
from importlib.util import find_spec
import runstream.compat.wandb
print(find_spec("wandb").name, metadata.version("wandb"), metadata.metadata("wandb")["Name"])
import wandb
print(find_spec("wandb") is wandb.__spec__, metadata.packages_distributions()["wandb"])
print([found.version for found in metadata.distributions() if found.metadata["Name"] == "wandb"])
"""
    assert python(code, tmp_path).splitlines() == ["wandb 0.31.0 wandb", "True ['wandb']", "['0.31.0']"]


def test_an_installed_wandb_is_neither_imported_nor_changed(installed: Path, tmp_path: Path) -> None:
    """Runstream takes precedence over an installed wandb."""
    code = "import runstream.compat.wandb, wandb; print(wandb.init.__module__, hasattr(wandb, 'mine'))"

    assert python(code, tmp_path, PYTHONPATH=str(installed)) == "runstream.tracking.startup.initialize False"


def test_a_wandb_imported_earlier_is_an_error(installed: Path, tmp_path: Path) -> None:
    """Modules that imported it would keep using it. The message explains what to do."""
    code = """
import wandb
try:
    import runstream.compat.wandb
except ImportError as error:
    print(error)
import wandb
print(wandb.mine)
"""
    message, mine = python(code, tmp_path, PYTHONPATH=str(installed)).splitlines()

    assert "import runstream.compat.wandb before" in message
    assert "runstream run SCRIPT" in message
    assert mine == "False"


def test_an_unknown_version_of_wandb_is_not_mirrored(installed: Path, tmp_path: Path) -> None:
    """It stays unchanged, and there is a warning. If wandb is Runstream's, there is nothing to mirror."""
    code = """
import sys
sys.stderr = sys.stdout
import wandb
from runstream.compat import mirror
wandb.init = before = lambda: None
mirror.start()
print(wandb.init is before)
"""
    warning, same = python(code, tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert warning.startswith("runstream: WARNING Cannot mirror this version of wandb")
    assert same == "True"

    code = """
import runstream.compat.wandb
from runstream.compat import mirror
try:
    mirror.start()
except Exception as error:
    print(type(error).__name__)
"""
    assert python(code, tmp_path) == "UsageError"


def test_a_module_that_is_not_provided_does_not_exist(tmp_path: Path) -> None:
    """Modules of an installed W&B are not visible."""
    code = """
import runstream.compat.wandb
try:
    import wandb.sdk.internal
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert python(code, tmp_path) == "wandb.sdk.internal"


def test_the_environment_variables_of_wandb_are_used(tmp_path: Path) -> None:
    """Project, id and name come from WANDB_*, ``dryrun`` is offline, and the run is an instance of ``wandb.Run``."""
    code = """
import runstream.compat.wandb, wandb
run = wandb.init(settings={"silent": True})
print(run.project, run.id, run.name, run.offline, isinstance(run, wandb.sdk.wandb_run.Run), wandb.run is run)
wandb.finish()
print(wandb.run)
"""
    environment = {"WANDB_PROJECT": "p", "WANDB_RUN_ID": "r1", "WANDB_NAME": "mine", "WANDB_MODE": "dryrun"}

    assert python(code, tmp_path, **environment).splitlines() == ["p r1 mine True True True", "None"]


def test_settings_of_wandb_are_mapped_or_ignored(tmp_path: Path) -> None:
    """Its values for console capture and mode have an equivalent; settings without one are ignored."""
    code = """
import runstream.compat.wandb, wandb
for settings in (wandb.Settings(console="wrap_raw"), wandb.Settings(mode="dryrun", start_method="thread")):
    print(settings.console, settings.mode)
"""
    assert python(code, tmp_path).splitlines() == ["wrap online", "auto offline"]


def test_sweeps_raise_an_error(tmp_path: Path) -> None:
    """Sweeps can be imported, and raise an error when they are used."""
    code = """
import runstream.compat.wandb, wandb
for use in (wandb.sweep, wandb.agent, wandb.controller):
    try:
        use({})
    except wandb.errors.UsageError as error:
        print(error)
"""
    assert (
        python(code, tmp_path).splitlines()
        == ["Runstream has no sweeps: use Optuna, for example, with one run for each trial"] * 3
    )


def test_an_import_hook_is_called_when_its_module_is_imported(tmp_path: Path) -> None:
    """Once, at the first import, or at once if the module is imported already."""
    code = """
import runstream.compat.wandb, wandb, sys
wandb.util.add_import_hook("colorsys", lambda module: print("loaded", module.__name__, hasattr(module, "rgb_to_hsv")))
print("colorsys" in sys.modules)
import colorsys, colorsys
wandb.util.add_import_hook("colorsys", lambda module: print("again", module.__name__))
"""
    assert python(code, tmp_path).splitlines() == ["False", "loaded colorsys True", "again colorsys"]


def test_telemetry_accepts_and_ignores_everything(tmp_path: Path) -> None:
    """Integrations set the features that they use."""
    code = """
import runstream.compat.wandb, wandb
with wandb.sdk.lib.telemetry.context(run=None) as telemetry:
    telemetry.feature.some_name = True
print("done")
"""
    assert python(code, tmp_path) == "done"


def test_a_warning_without_repeat_is_printed_once(tmp_path: Path) -> None:
    """``termwarn(repeat=False)`` prints a text once; a silent run prints nothing."""
    code = """
import sys
sys.stderr = sys.stdout
import runstream as wandb
for _ in range(2):
    wandb.termwarn("once", repeat=False)
    wandb.termwarn("twice")
run = wandb.init(mode="offline", settings={"silent": True})
wandb.termwarn("never")
run.finish()
"""
    lines = python(code, tmp_path).splitlines()

    assert lines == ["runstream: WARNING once", "runstream: WARNING twice", "runstream: WARNING twice"]
