"""Created, ended and duration of runs that are delivered long after they were recorded."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.integration.api.conftest import new_recording

if TYPE_CHECKING:
    from tests.integration.api.serving import Served

_HOUR = 3_600_000_000
_PROJECT = "times"


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_runs_have_their_own_times(served: Served) -> None:
    """A run of three days ago is listed and shown with its times, and a clock that is ahead is limited and shown."""
    now = time.time_ns() // 1000
    old, ahead = new_recording("old", project=_PROJECT), new_recording("ahead", project=_PROJECT)
    old.started, old.ended = now - 72 * _HOUR, now - 70 * _HOUR
    ahead.started = ahead.ended = now + 3 * _HOUR
    served.store(ahead.start({}).exit())
    served.store(old.start({}).exit())

    page = served.get("/api/v1/runs", entity="ada", project=_PROJECT)
    assert [run["id"] for run in page["runs"]] == ["ahead", "old"]
    found, limited = (served.get(f"/api/v1/runs/ada/{_PROJECT}/{name}") for name in ("old", "ahead"))
    assert (found["created_at"], found["ended_at"]) == (_iso(old.started), _iso(old.ended))
    assert found["clock_offset_s"] is None
    assert found["updated_at"] > found["ended_at"]
    assert _iso(now) <= limited["created_at"] <= limited["ended_at"] < _iso(now + _HOUR)
    assert abs(limited["clock_offset_s"] - 3 * 3600) < 3600
