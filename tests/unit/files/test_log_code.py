"""``run.log_code()``: which files, under which names, and the artifact that holds them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import runstream
from runstream.files.code_files import code_files, is_code, is_own
from tests.unit.files.recorded import offline_run

if TYPE_CHECKING:
    from pathlib import Path

_FILES = (
    "a.py", "d.txt", "Dockerfile.gpu", "requirements.txt", "pkg/b.py", "cache/c.py", "wandb/run/x.py", ".wandb/x.py",
    "runstream/run-1-x/files/y.py", "runstream/mine.py", "sub/runstream/run-2-x/y.py", "sub/wandb/kept.py", ".git/h.py",
)  # fmt: skip


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with source files, and with others."""
    folder = tmp_path / "code"
    for name in _FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    monkeypatch.chdir(folder)
    return folder


def _names(root: str, *functions: Any) -> set[str]:
    include, exclude = functions or (is_code, is_own)
    return {os.path.relpath(path, root) for path in code_files(root, include, exclude)}


def test_default_is_code_outside_of_our_folders(code: Path) -> None:
    """Python, requirements.txt and Dockerfiles at any depth, whether in a repository or not."""
    left_out = {"d.txt", "wandb/run/x.py", ".wandb/x.py", "runstream/run-1-x/files/y.py", "sub/runstream/run-2-x/y.py"}
    assert _names(str(code)) == _names(".") == set(_FILES) - left_out


def test_functions_have_one_or_two_parameters(code: Path) -> None:
    """Both get the absolute path; the second parameter is the root. The example of W&B's reference works."""
    (code.parent / "code" / "n.ipynb").write_text("{}")
    found = _names(
        "../",
        lambda path: path.endswith((".py", ".ipynb")),
        lambda path, root: os.path.relpath(path, root).startswith("code/cache/"),
    )
    assert {"code/n.ipynb", "code/wandb/run/x.py"} <= found
    assert "code/cache/c.py" not in found
    assert _names(".", os.path.isfile, lambda path: not path.endswith("d.txt")) == {"d.txt"}


@pytest.mark.usefixtures("code")
def test_artifact_of_the_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is of type code; without a file there is none, and a file that cannot be read is left out with a warning."""
    os.symlink("nowhere", "broken.py")  # noqa: PTH211
    with offline_run(tmp_path) as run:
        artifact = run.log_code("pkg")
        assert artifact is not None
        assert (artifact.type, artifact.name.startswith("source-p-"), sorted(artifact.manifest.entries)) == (
            "code",
            True,
            ["b.py"],
        )
        named = run.log_code(name="mine", include_fn=lambda path: path.endswith(("/a.py", "broken.py")))
        assert named is not None
        assert (named.name.split(":")[0], sorted(named.manifest.entries)) == ("mine", ["a.py"])
        assert run.log_code("pkg", include_fn=lambda path, root: False) is None  # noqa: ARG005
        assert run.log_code("no folder") is run.log_code(None) is None
        with pytest.raises(ValueError, match="Invalid name"):
            run.log_code(name="a/b")
    errors = capsys.readouterr().err
    assert "broken.py' is left out of the code" in errors
    assert errors.count("No source files were found") == 3
    with pytest.raises(runstream.UsageError, match="finished"):
        run.log_code()
