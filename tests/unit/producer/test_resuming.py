"""What resume, resume_from and fork_from mean, before anybody is asked."""

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
    """Return a writer as the server tells of it."""
    return {"writer": number.hex(), "role": role, "label": label, "continues": [one.hex() for one in continues]}


def test_a_moment_is_an_id_and_a_step() -> None:
    """Anything else is refused with how it is spelled."""
    assert parse_branch_point("fork_from", "a-b?_step=12") == BranchPoint("a-b", 12)
    for text in ("a", "a?_step=", "a?_step=-1", "a?step=1", "?_step=1", "a?_step=1.5", ""):
        with pytest.raises(ValueError, match=r"ID\?_step=N"):
            parse_branch_point("fork_from", text)


def test_a_primary_continues_the_last_primaries_and_their_children() -> None:
    """Whoever was continued already, workers, shippers and commands are left out."""
    writers = [
        writer(A, "primary"),
        writer(B, "primary", A),
        writer(C, "child"),
        writer(D, "worker"),
        writer(bytes(16), "shipper"),
    ]
    assert continued_writers(writers, Role.PRIMARY, "") == (B, C)


def test_a_worker_continues_the_worker_of_its_label() -> None:
    """Without a label nothing says whose work it is."""
    writers = [writer(A, "primary"), writer(B, "worker", label="rank 1"), writer(C, "worker", label="rank 2")]
    assert continued_writers(writers, Role.WORKER, "rank 2") == (C,)
    assert continued_writers(writers, Role.WORKER, "") == ()


def test_auto_means_the_latest_run_of_the_folder_and_project(tmp_path: Path) -> None:
    """Of another project, or where there is none or a broken note, it means a new run."""
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
def test_what_makes_no_sense_is_refused(tmp_path: Path, settings: dict[str, Any], error: type[Exception]) -> None:
    """Before anything is asked or made."""
    with pytest.raises(error):
        plan_resume(Settings(**settings), tmp_path)


def test_a_rewind_names_the_run(tmp_path: Path) -> None:
    """The id of ``resume_from`` is that of the run."""
    assert plan_resume(Settings(resume_from="b?_step=1"), tmp_path).run_id == "b"
    assert plan_resume(Settings(resume_from="b?_step=1", run_id="b"), tmp_path).run_id == "b"


def resuming(settings: Settings, *, meant: bool) -> ResumeResolver:
    """Return what asks no server, since none is known."""
    terminal = Terminal(silent=True)
    return ResumeResolver(settings, {}, Role.PRIMARY, "", terminal, named=meant, meant=meant)


@pytest.mark.parametrize(("meant", "relative"), [(False, False), (True, True)])
def test_allow_asks_only_for_a_run_that_may_be_there(*, meant: bool, relative: bool) -> None:
    """An id that was just made up is that of no run; of one that was named it is not known how far it is."""
    settings = Settings(resume="allow", run_id="r", init_timeout=30)
    nobody = ServerLookup(None, RunIdentity(entity=None, project="p", run_id="r", name="n"), "no server is known")

    _, start = resuming(settings, meant=meant).start(nobody, "fresh")

    assert (start.resumed, start.step, start.relative) == (False, 0, relative)


@pytest.mark.parametrize(
    "asked", [{"resume": "never"}, {"resume": "auto"}, {"resume": "must"}, {"fork_from": "a?_step=1"}]
)
def test_whatever_cannot_be_decided_is_an_error_in_time(asked: dict[str, str]) -> None:
    """It names what was asked for, what stands in the way, and what to do."""
    settings = Settings(run_id="r", init_timeout=0.01, **asked)  # type: ignore[arg-type]
    nobody = ServerLookup(None, RunIdentity(entity=None, project="p", run_id="r", name="n"), "no server is known")

    with pytest.raises(CommError, match=r"No answer of the server .*[Nn]o server is known.*runstream up"):
        resuming(settings, meant=True).start(nobody, "fresh")
