"""Records that their writers dropped, wherever a run is read."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from runstream.public_api.api import Api
from runstream_schemas.topics import Topic
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

DAMAGED, FULL = "the spool is damaged here", "the disk was full"
LOSSES = [
    {"topic": "log", "reason": FULL, "count": 3},
    {"topic": "log", "reason": DAMAGED, "count": 1},
    {"topic": "config", "reason": DAMAGED, "count": 1},
]


@pytest.fixture(scope="module")
def lossy(served: Served) -> Recording:
    """Return a run that has ended and lost four of ten rows, and a change of its config."""
    run = new_recording("lossy", project="lossy").start({}).rows([{"a": 1}] * 4).drop(2, FULL).drop(1, FULL)
    run.rows([{"a": 1}] * 2, first_step=7).drop(1, DAMAGED).drop(1, DAMAGED, Topic.CONFIG).exit()
    again = list(run.sent[1:5])
    served.publish(run)
    run.sent.extend(again)  # duplicates, as after a crash of the shipper: the losses must not double
    served.publish(run)
    eventually(lambda: served.run(run, "/delivery")["arrived"])
    eventually(lambda: served.run(run)["state"] == "finished")
    return run


def test_delivery_counts_lost_records(served: Served, lossy: Recording) -> None:
    """Stored and lost records add up to those counted; lost ones have ranges and reasons; the run is not complete."""
    delivery = served.run(lossy, "/delivery")
    topics = delivery["writers"][0]["topics"]

    assert (delivery["complete"], delivery["arrived"], delivery["lost"]) == (False, True, 5)
    assert {name: topics["log"][name] for name in ("stored", "lost", "counted", "missing")} == {
        "stored": 6,
        "lost": 4,
        "counted": 10,
        "missing": [],
    }
    assert topics["log"]["losses"] == [
        {"reason": FULL, "count": 3, "ranges": [[4, 7]]},
        {"reason": DAMAGED, "count": 1, "ranges": [[9, 10]]},
    ]
    assert topics["config"]["losses"] == [{"reason": DAMAGED, "count": 1, "ranges": [[1, 2]]}]


def test_documents_have_lost_records(served: Served, lossy: Recording, digits: Recording) -> None:
    """The run's document and the list of runs have the number of lost records, and their reasons by topic."""
    (listed,) = served.get("/api/v1/runs", project="lossy")["runs"]
    for document in (listed, served.run(lossy)):
        assert (document["lost"], document["losses"]) == (5, LOSSES)
    assert (served.run(digits)["lost"], served.run(digits)["losses"]) == (0, [])


def test_pages_show_lost_records(served: Served, lossy: Recording) -> None:
    """The run's page names what was lost and why, and its delivery is not called complete; the list marks the run."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    run = html.unescape(httpx.get(f"{served.url}/ada/lossy/runs/{lossy.run.run_id}", headers=headers).text)
    project = html.unescape(httpx.get(f"{served.url}/ada/lossy", headers=headers).text)

    assert "Lost 3 of 10 rows (the disk was full)" in run
    assert "Lost 1 of 2 config changes (the spool is damaged here)" in run
    delivery = re.sub(r"<[^>]*>", " ", run.partition('id="delivery"')[2].partition("</summary>")[0])
    assert "complete" not in delivery
    assert "5 lost" in delivery
    assert "5 lost" in project


def test_the_command_line_shows_lost_records(served: Served, lossy: Recording) -> None:
    """``show`` names what was lost and why, and ``runs`` how much."""
    environ = {**os.environ, "RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN, "COLUMNS": "120", "NO_COLOR": "1"}
    show, runs = (
        subprocess.run(
            [sys.executable, "-m", "runstream.cli.main", *words],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for words in (["show", str(lossy.run)], ["runs", "lossy"])
    )

    assert "Lost: 3 of 10 rows (the disk was full)" in show
    assert "log 6/10 lost 4" in show
    assert "lost 5 records" in show
    assert "complete" not in show
    assert "finished 5 lost" in runs


def test_api_runs_have_lost_records(served: Served, lossy: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """``lost`` and ``losses`` of a run are those of its document."""
    monkeypatch.setenv("RUNSTREAM_URL", served.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    run = Api().run(str(lossy.run))

    assert (run.lost, run.losses) == (5, LOSSES)
