"""What is recorded about where a run comes from."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream.settings import Settings
from runstream.tracking.startup import provenance
from runstream.tracking.startup.git_state import LONGEST_DIFF, git_state, without_credentials

if TYPE_CHECKING:
    from pathlib import Path

#: Long enough for a busy machine.
_PATIENCE_S = 30.0
_COMMIT = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "x")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit and a remote that has a password in its URL."""
    _git(tmp_path, "init", "-q", "-b", "topic")
    (tmp_path / "train.py").write_text("lr = 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, *_COMMIT)
    _git(tmp_path, "remote", "add", "origin", "https://ada:secret@example.org/ada/digits.git")
    return tmp_path


def _state(folder: Path, *, timeout_s: float = _PATIENCE_S) -> dict[str, Any]:
    return git_state(folder, "origin", os.environ, timeout_s=timeout_s)


def test_git_has_commit_branch_remote_and_changes(repository: Path) -> None:
    """The remote has no password; changes that are not committed are a diff."""
    commit, remote = _git(repository, "rev-parse", "HEAD"), "https://example.org/ada/digits.git"
    root = str(repository.resolve())
    clean = {"root": root, "commit": commit, "branch": "topic", "remote": remote, "dirty": False}
    assert _state(repository) == clean
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "below").mkdir()
    found = _state(repository / "below")
    assert found.pop("diff").endswith("-lr = 1\n+lr = 2\n")
    assert found == {**clean, "dirty": True}


def test_a_long_diff_is_visibly_cut(repository: Path) -> None:
    """A diff above the limit says so at its end."""
    (repository / "train.py").write_text("x" * 3 * LONGEST_DIFF)
    diff = _state(repository)["diff"]
    assert LONGEST_DIFF < len(diff) < LONGEST_DIFF + 100
    assert diff.endswith(f"\n[cut after {LONGEST_DIFF} characters]\n")


def test_git_that_is_slow_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known but that the changes are not recorded, and Git is ended."""
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = _state(tmp_path, timeout_s=0.1)
    assert found.keys() == {"diff"}
    assert "not recorded" in found["diff"]


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    """A checked-out commit is not a branch named HEAD."""
    _git(repository, "checkout", "-q", "--detach")
    assert "branch" not in _state(repository)


def test_without_a_repository_or_git_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is not an error; a repository without commits has a problem."""
    assert _state(tmp_path) == {}
    _git(tmp_path, "init", "-q")
    assert "HEAD" in _state(tmp_path)["problem"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _state(tmp_path) == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:token@example.org/a/b.git?x=1#y", "https://example.org/a/b.git"),
        ("https://token@example.org:8443/a", "https://example.org:8443/a"),
        ("ssh://git:secret@example.org/a", "ssh://git@example.org/a"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("https://[broken", ""),
    ],
)
def test_urls_lose_their_credentials(url: str, expected: str) -> None:
    """Users, passwords, queries and fragments are removed; the user of SSH is kept."""
    assert without_credentials(url) == expected


def test_arguments_hide_secrets() -> None:
    """Values of options named like secrets are hidden, long values are cut, and many are counted."""
    given = ["--lr", "0.1", "--api-key", "abc", "--db_password=x=y", "token=z", "--tokenizer", "bert", "--secret", "-v"]
    assert provenance.arguments(given) == [
        *("--lr", "0.1", "--api-key", "[hidden]", "--db_password=[hidden]", "token=[hidden]"),
        *("--tokenizer", "bert", "--secret", "-v"),
    ]
    assert provenance.arguments(["x" * 3000])[0].endswith("… [1000 more characters]")
    assert provenance.arguments(["a"] * 600)[-1] == "[100 more]"


def test_packages_are_read_from_the_names_of_their_folders(tmp_path: Path) -> None:
    """The first of a name on the path counts; other files are ignored, and a missing folder is no error."""
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (
        first / "scikit_learn-1.7.0.dist-info",
        first / "old-0.1-py3.11.egg-info",
        second / "scikit_learn-1.0.dist-info",
        second / "local-1.0+cu12.dist-info",
        second / "numpy",
    ):
        folder.mkdir(parents=True)
    found = provenance.packages([str(first), str(second), str(tmp_path / "missing"), "a\0b"])
    assert found == ["local==1.0+cu12", "old==0.1", "scikit-learn==1.7.0"]
    assert any(item.startswith("pytest==") for item in provenance.packages(sys.path))


def test_jobs_are_read_from_the_environment() -> None:
    """A job of Slurm and a pod of Kubernetes are recorded as far as their environment names them."""
    assert provenance.slurm({"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "HOME": "/"}) == {
        "job_id": "7",
        "job_name": "train",
    }
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-0", "POD_NAMESPACE": "ml"}
    assert provenance.kubernetes(pod) == {"pod": "train-0", "namespace": "ml"}
    assert provenance.kubernetes({"HOSTNAME": "x"}) == {}


def test_a_container_is_recognized(tmp_path: Path) -> None:
    """By its control group or a marker file; its image is that of the environment."""
    assert provenance.container(tmp_path, {}) == {}
    (tmp_path / ".dockerenv").touch()
    assert provenance.container(tmp_path, {"WANDB_DOCKER": "ml:1"}) == {"kind": "docker", "image": "ml:1"}
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"0::/system.slice/docker-{'ab' * 32}.scope\n")
    assert provenance.container(tmp_path, {}) == {"kind": "docker", "id": "abababababab"}


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"disable_git": True}, {"git"}),
        ({"x_save_requirements": False}, {"packages"}),
        ({"x_save_arguments": False}, {"args"}),
        ({"x_disable_meta": True}, {"git", "packages", "args", "cwd", "username"}),
    ],
)
def test_each_part_can_be_switched_off(
    settings: dict[str, Any], missing: set[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is recorded by default, and a setting omits a part."""
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "1", "\udcff"])
    program, whole = str(repository / "train.py"), Settings(disable_git=False)
    every = provenance.provenance(whole, os.environ, program)
    assert {"git", "packages", "args", "cwd"} <= every.keys()
    assert every["args"] == ["--lr", "1", "\\udcff"]
    some = provenance.provenance(whole.model_copy(update=settings), os.environ, program)
    assert every.keys() - some.keys() >= missing & every.keys()
    assert some.keys() == every.keys() - missing or not some


def test_commit_and_remote_can_be_given(tmp_path: Path) -> None:
    """A container without the repository records what its environment names."""
    settings = Settings(disable_git=False, git_commit="abc", git_remote_url="https://u:p@example.org/r")
    found = provenance.provenance(settings, os.environ, str(tmp_path / "train.py"))
    assert found["git"] == {"commit": "abc", "remote": "https://example.org/r"}
