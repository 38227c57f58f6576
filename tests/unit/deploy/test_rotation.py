"""Rotation of logs that a running service has open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_deploy.processes.rotation import rotate

if TYPE_CHECKING:
    from pathlib import Path


def test_a_small_log_and_a_missing_one_stay_as_they_are(tmp_path: Path) -> None:
    """Nothing is put aside before its time."""
    log = tmp_path / "api.log"
    rotate(log, largest=5)
    log.write_text("1234")
    rotate(log, largest=5)
    assert [path.name for path in tmp_path.iterdir()] == ["api.log"]


def test_a_service_goes_on_in_the_emptied_log(tmp_path: Path) -> None:
    """What it appends after the rotation, through the descriptor it had, stands alone in the log."""
    log = tmp_path / "api.log"
    with log.open("a") as service:
        service.write("old line\n")
        service.flush()
        rotate(log, largest=5)
        service.write("new line\n")
    assert (log.read_text(), (tmp_path / "api.log.1").read_text()) == ("new line\n", "old line\n")


def test_only_so_many_logs_are_kept(tmp_path: Path) -> None:
    """The newest is number 1; the oldest falls out."""
    log = tmp_path / "api.log"
    for text in ("first", "second", "third", "fourth"):
        log.write_text(text)
        rotate(log, largest=5, kept=2)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "api.log": "",
        "api.log.1": "fourth",
        "api.log.2": "third",
    }
