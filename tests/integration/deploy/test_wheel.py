"""The built wheel, installed without the checkout into a new environment, as users get it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(900)


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program outside of the checkout, without the checkout in its paths."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RUNSTREAM_"))}
    return subprocess.run(
        list(map(str, arguments)), cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def succeed(*arguments: str | Path, folder: Path) -> str:
    """Run a program that must succeed; return its output."""
    done = run(*arguments, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    succeed(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel without extras, as on a training node; return the environment's folder of programs."""
    folder = tmp_path_factory.mktemp("installed")
    succeed(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    programs = folder / "venv" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    succeed(*pip, "install", "--quiet", "--no-compile", wheel, folder=folder)
    return programs


def test_the_wheel_contains_data_files(wheel: Path) -> None:
    """Schemas, SQL, pages with their JavaScript, the list of Kafka's jars, and the license are included."""
    names = zipfile.ZipFile(wheel).namelist()
    wanted = [
        "runstream_schemas/avsc/log/1.avsc",
        "runstream_consumers/web/static/vendor/uPlot.iife.min.js",
        "runstream_consumers/web/static/vendor/vega.min.js",
        "runstream_consumers/web/static/vendor/plotly-strict.min.js",
        "runstream_consumers/web/static/vendor/three/build/three.module.min.js",
        "runstream_consumers/web/static/vendor/three/jsm/loaders/GLTFLoader.js",
        "runstream_consumers/web/static/frames/model.html",
        "runstream_deploy/services/pom.xml",
        "runstream/py.typed",
    ]
    assert [name for name in wanted if name not in names] == []
    assert {suffix for suffix in (".sql", ".html") if any(name.endswith(suffix) for name in names)} == {".sql", ".html"}
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")] != []


def test_the_wheel_contains_only_the_packages(wheel: Path) -> None:
    """Tests, caches and node_modules are not included."""
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    packages = {"runstream", "runstream_schemas", "runstream_consumers", "runstream_deploy"}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert [name for name in zipfile.ZipFile(wheel).namelist() if "node_modules" in name or "__pycache__" in name] == []


def test_the_base_install_can_track(installed: Path, tmp_path: Path) -> None:
    """A run is recorded offline, with the schemas of the installed package."""
    program = (
        "import runstream, runstream_schemas.codec\n"
        "with runstream.init(mode='offline', project='wheel') as run:\n"
        "    run.log({'loss': 1.0})\n"
        "print(runstream.__file__)\n"
    )
    printed = succeed(installed / "python", "-c", program, folder=tmp_path)
    assert printed.splitlines()[-1].startswith(str(installed.parent))
    assert len(list((tmp_path / "runstream").glob("run-*"))) == 1


def test_help_lists_all_commands(installed: Path, tmp_path: Path) -> None:
    """``runstream --help`` shows the commands of the client and of the stack."""
    printed = succeed(installed / "runstream", "--help", folder=tmp_path)
    commands = ("up", "down", "status", "sync", "runs", "show")
    assert [name for name in commands if f" {name} " not in printed] == []


def test_a_missing_extra_is_an_error_with_instructions(installed: Path, tmp_path: Path) -> None:
    """Without the packages of the servers, ``runstream up`` exits with 1 and prints what to install."""
    done = run(installed / "runstream", "up", "--data-dir", tmp_path / "data", folder=tmp_path)
    assert done.returncode == 1
    assert "pip install 'runstream[server,local]'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
