"""The meaning of resume, resume_from and fork_from before the server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstream.exceptions import CommError, UsageError
from runstream.run_folder.descriptions import continued_writers
from runstream.settings import Settings
from runstream.terminal.terminal import Terminal
from runstream.tracking.run.identity import RunIdentity
from runstream.tracking.run.start import BranchPoint
from runstream.tracking.startup.resume import (
    ResumeResolver,
    parse_branch_point,
    plan_resume,
    save_latest_run,
)
from runstream.tracking.startup.server_lookup import ServerLookup
from runstream_schemas.events import Role

if TYPE_CHECKING:
    from pathlib import Path

A, B, C, D = (bytes([number]) * 16 for number in range(4))


def writer(number: bytes, role: str, *continues: bytes, label: str = "") -> dict[str, Any]:
    """Return a writer as in the server's response."""
    return {"writer": number.hex(), "role": role, "label": label, "continues": [one.hex() for one in continues]}


def test_a_branch_point_is_an_id_and_a_step() -> None:
    """Any other text is refused with the expected form."""
    assert parse_branch_point("fork_from", "a-b?_step=12") == BranchPoint("a-b", 12)
    for text in ("a", "a?_step=", "a?_step=-1", "a?step=1", "?_step=1", "a?_step=1.5", ""):
        with pytest.raises(ValueError, match=r"ID\?_step=N"):
            parse_branch_point("fork_from", text)


def test_a_primary_continues_the_last_primaries_and_their_children() -> None:
    """Writers that were continued already, workers and shippers are not continued; commands on the summary are."""
    command = b"z" * 16
    writers = [
        writer(command, "command"),
        writer(A, "primary"),
        writer(B, "primary", A),
        writer(C, "child"),
        writer(D, "worker"),
        writer(bytes(16), "shipper"),
    ]
    assert continued_writers(writers, Role.PRIMARY, "") == tuple(sorted((B, C, command)))


def test_a_worker_continues_the_worker_with_its_label() -> None:
    """A worker without a label continues none."""
    writers = [writer(A, "primary"), writer(B, "worker", label="rank 1"), writer(C, "worker", label="rank 2")]
    assert continued_writers(writers, Role.WORKER, "rank 2") == (C,)
    assert continued_writers(writers, Role.WORKER, "") == ()


def test_auto_is_the_latest_run_of_the_folder_and_project(tmp_path: Path) -> None:
    """If the latest run has another project, does not exist or cannot be read, a new run is started."""
    settings = Settings(resume="auto", project="p")
    assert plan_resume(settings, tmp_path).run_id is None
    save_latest_run(tmp_path, settings.model_copy(update={"run_id": "r"}))
    assert plan_resume(settings, tmp_path).run_id == "r"
    assert plan_resume(settings.model_copy(update={"run_id": "own"}), tmp_path).run_id == "own"
    assert plan_resume(Settings(resume="auto", project="q"), tmp_path).run_id is None
    (tmp_path / "latest-run.json").write_text("[")
    assert plan_resume(settings, tmp_path).run_id is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"resume": "must"}, UsageError),
        ({"resume": "allow", "fork_from": "a?_step=1"}, ValueError),
        ({"resume_from": "b?_step=1", "fork_from": "a?_step=1"}, ValueError),
        ({"resume_from": "b?_step=1", "run_id": "a"}, ValueError),
        ({"fork_from": "a?_step=1", "run_id": "a"}, ValueError),
    ],
)
def test_contradicting_settings_are_refused(tmp_path: Path, settings: dict[str, Any], error: type[Exception]) -> None:
    """They are refused before the server is asked or a folder is created."""
    with pytest.raises(error):
        plan_resume(Settings(**settings), tmp_path)


def test_a_rewind_has_the_id_of_the_run(tmp_path: Path) -> None:
    """The id in ``resume_from`` is that of the run."""
    assert plan_resume(Settings(resume_from="b?_step=1"), tmp_path).run_id == "b"
    assert plan_resume(Settings(resume_from="b?_step=1", run_id="b"), tmp_path).run_id == "b"


def resuming(settings: Settings, *, may_exist: bool) -> ResumeResolver:
    """Return a resolver without a server, which does not find the user's own stack either."""
    terminal = Terminal(silent=True)
    return ResumeResolver(
        settings, {"RUNSTREAM_DATA_DIR": "/nonexistent"}, Role.PRIMARY, "", terminal, named=may_exist, meant=may_exist
    )


@pytest.mark.parametrize(("may_exist", "relative"), [(False, False), (True, True)])
def test_allow_without_a_server_starts_a_run(*, may_exist: bool, relative: bool) -> None:
    """Steps are relative if the run may exist; a run with a generated id cannot exist."""
    settings = Settings(resume="allow", run_id="r", init_timeout=30)
    unreachable = ServerLookup(None, RunIdentity(entity=None, project="p", run_id="r", name="n"), "no server is known")

    _, start = resuming(settings, may_exist=may_exist).start(unreachable, "fresh")

    assert (start.resumed, start.step, start.relative) == (False, 0, relative)


@pytest.mark.parametrize(
    "asked", [{"resume": "never"}, {"resume": "auto"}, {"resume": "must"}, {"fork_from": "a?_step=1"}]
)
def test_an_undecided_resume_is_an_error_in_time(asked: dict[str, str]) -> None:
    """The error has the reason and what to do."""
    settings = Settings(run_id="r", init_timeout=0.01, **asked)  # type: ignore[arg-type]
    unreachable = ServerLookup(None, RunIdentity(entity=None, project="p", run_id="r", name="n"), "no server is known")

    with pytest.raises(CommError, match=r"needs an answer of the server .*[Nn]o server is known.*runstream up"):
        resuming(settings, may_exist=True).start(unreachable, "fresh")
