"""Rotation of logs that a running service has open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_deploy.processes.log_rotation import rotate

if TYPE_CHECKING:
    from pathlib import Path


def test_small_and_missing_logs_are_not_rotated(tmp_path: Path) -> None:
    """A log below the limit is unchanged."""
    log = tmp_path / "api.log"
    rotate(log, largest=5)
    log.write_text("1234")
    rotate(log, largest=5)
    assert [path.name for path in tmp_path.iterdir()] == ["api.log"]


def test_service_continues_in_the_truncated_log(tmp_path: Path) -> None:
    """Lines that it appends through its open descriptor after the rotation are at the start of the log."""
    log = tmp_path / "api.log"
    with log.open("a") as service:
        service.write("old line\n")
        service.flush()
        rotate(log, largest=5)
        service.write("new line\n")
    assert (log.read_text(), (tmp_path / "api.log.1").read_text()) == ("new line\n", "old line\n")


def test_number_of_kept_logs_is_limited(tmp_path: Path) -> None:
    """The newest is number 1; the oldest is deleted."""
    log = tmp_path / "api.log"
    for text in ("first", "second", "third", "fourth"):
        log.write_text(text)
        rotate(log, largest=5, kept=2)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "api.log": "",
        "api.log.1": "fourth",
        "api.log.2": "third",
    }
