"""Files that a run has without a call: metadata, packages, uncommitted changes, and the program."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import yaml

from runstream.spool.format import TopicCode
from runstream.tracking.startup import own_files
from tests.unit.files.recorded import content
from tests.unit.producer.programs import finished
from tests.unit.producer.spooled import of_topic, primary

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import runstream
config = {"lr": 1e-05, "model": {"layers": [1, 2]}, "note": "größer: 1"}
run = runstream.init(mode="offline", project="p", id="r1", config=config, settings={"silent": True, "console": "off"})
run.config["late"] = float("inf")
run.finish()
"""


def _files(folder: Path) -> dict[str, bytes]:
    return {one["path"]: content(folder, one) for one in of_topic(primary(folder), TopicCode.FILE)}


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_metadata_packages_and_changes_are_files(tmp_path: Path) -> None:
    """They have the names and fields of W&B, and no secrets; the changes are longer than those in the metadata."""
    changed = "".join(f"line {number}\n" for number in range(20_000))
    _git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text(_PROGRAM)
    _git(tmp_path, "add", "train.py")
    _git(tmp_path, "commit", "-qm", "first")
    _git(tmp_path, "remote", "add", "origin", "https://user:hunter2@example.com/x.git")
    (tmp_path / "train.py").write_text(_PROGRAM + "".join(f"# {line}\n" for line in changed.splitlines()))

    patience = (
        "from runstream.tracking.startup import git_state\ngit_state.git_state.__kwdefaults__['timeout_s'] = 60\n"
    )
    source = f"sys.argv = ['train.py', '--api-key=hunter2', '--lr', '1']\n__file__ = {str(tmp_path / 'train.py')!r}\n"
    status, _, errors = finished(
        tmp_path, patience + source + _PROGRAM, begin="import sys\n", RUNSTREAM_SAVE_CODE="true"
    )

    assert status == 0, errors
    files = _files(tmp_path)
    assert set(files) == {"wandb-metadata.json", "requirements.txt", "diff.patch", "code/train.py", "config.yaml"}
    config = {"lr": 1e-05, "model": {"layers": [1, 2]}, "note": "größer: 1", "late": float("inf")}
    assert yaml.safe_load(files["config.yaml"]) == {key: {"value": value} for key, value in config.items()}
    described = json.loads(files["wandb-metadata.json"])
    assert (described["program"], described["codePath"]) == (str(tmp_path / "train.py"), "train.py")
    assert described["args"] == ["--api-key=[hidden]", "--lr", "1"]
    assert described["git"]["remote"] == "https://example.com/x.git"
    assert described["startedAt"].endswith("Z")
    assert b"hunter2" not in files["wandb-metadata.json"]
    assert b"\nmsgspec==" in files["requirements.txt"]
    assert files["diff.patch"].decode().count("\n+# line") == 20_000
    assert files["code/train.py"] == (tmp_path / "train.py").read_bytes()
    entries = of_topic(primary(tmp_path), TopicCode.CONFIG)[0]
    (git,) = [value for scope, _, path, value in entries if (scope, path) == ("metadata", ["git"])]
    assert git["diff"].endswith("\n[cut after 65536 characters]\n")


def test_settings_switch_the_files_off(tmp_path: Path) -> None:
    """Each has the setting of what it holds."""
    switches = {"RUNSTREAM_DISABLE_GIT": "true", "RUNSTREAM_X_SAVE_REQUIREMENTS": "false"}
    assert finished(tmp_path, _PROGRAM, begin="", **switches)[0] == 0
    assert set(_files(tmp_path)) == {"wandb-metadata.json", "config.yaml"}
    other = tmp_path / "other"
    other.mkdir()
    assert finished(other, _PROGRAM, begin="", RUNSTREAM_X_DISABLE_META="true")[0] == 0
    assert _files(other) == {}


def test_large_config_is_json_in_the_file() -> None:
    """It is YAML as well; an empty config has no file."""
    config = {"prompt": "x" * 600_000}
    (text,) = own_files.config_file(config).values()
    assert json.loads(text) == {"prompt": {"value": config["prompt"]}}
    assert own_files.config_file({}) == {}
