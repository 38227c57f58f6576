"""Alerts over HTTP, and through the public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream.public_api.api import Api
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN, Served, path

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording


@pytest.fixture(scope="module")
def raised(served: Served) -> Recording:
    """Return a run that raised three alerts, one of them twice, and one run more that raised one."""
    first = new_recording("raised", project="alarming").start({})
    first.alert("loss is NaN", "step 7", level="error").alert("loss is NaN", "step 8", level="error")
    first.alert("slow", level="warn").alert("hello", wait_ms=1500).exit()
    served.say(first)
    served.say(new_recording("other", project="alarming").start({}).alert("slow").exit())
    return first


def test_a_run_has_its_alerts_in_order_without_repeats(served: Served, raised: Recording) -> None:
    """Each shown alert says how often it came again; repeats are told when they are asked for."""
    answer = served.run(raised, "/alerts")
    assert [(one["title"], one["level"], one["repeats"]) for one in answer["alerts"]] == [
        ("loss is NaN", "ERROR", 1),
        ("slow", "WARN", 0),
        ("hello", "INFO", 0),
    ]
    assert answer["next"] is None
    assert answer["alerts"][2]["wait_duration"] == 1.5
    everything = served.run(raised, "/alerts", repeats=True)["alerts"]
    assert [(one["text"], one["repeat"]) for one in everything[:2]] == [("step 7", False), ("step 8", True)]


def test_alerts_come_in_pages(served: Served, raised: Recording) -> None:
    """``next`` goes on behind the last alert, in a run and over a project."""
    first = served.run(raised, "/alerts", limit=2)
    rest = served.run(raised, "/alerts", after=first["next"])
    assert [one["title"] for one in [*first["alerts"], *rest["alerts"]]] == ["loss is NaN", "slow", "hello"]
    newest = served.get("/api/v1/alerts", entity="ada", project="alarming", limit=2)
    older = served.get("/api/v1/alerts", entity="ada", project="alarming", after=newest["next"])
    found = [(one["run"], one["title"]) for one in [*newest["alerts"], *older["alerts"]]]
    assert found == [("other", "slow"), ("raised", "hello"), ("raised", "slow"), ("raised", "loss is NaN")]
    assert older["next"] is None


@pytest.mark.parametrize("after", ["x", "1.2", "-1.0.0", "²", "1" * 30])
def test_a_cursor_that_is_none_is_refused(served: Served, raised: Recording, after: str) -> None:
    """What was no ``next`` is a bad parameter, not a fault."""
    refused = served.ask(f"/api/v1/runs{path(raised.run)}/alerts", after=f"{after}!")
    assert refused.status_code == 422
    answer = served.ask("/api/v1/alerts", after=after)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")


def test_alerts_count_for_complete(served: Served, raised: Recording) -> None:
    """Delivery tells the alerts like the records of any other topic, repeats included."""
    delivery = served.run(raised, "/delivery")
    assert delivery["complete"]
    assert delivery["writers"][0]["topics"]["alert"] == {"stored": 4, "counted": 4, "missing": []}


def test_the_public_api_reads_alerts(served: Served, raised: Recording) -> None:
    """Of a run in order, of a project newest first."""
    api = Api({"base_url": served.url}, api_key=TOKEN)
    run = api.run(f"{served.url}/ada/alarming/runs/{raised.run.run_id}")
    assert [one["title"] for one in run.alerts] == ["loss is NaN", "slow", "hello"]
    assert [one["text"] for one in run.scan_alerts(repeats=True)][:2] == ["step 7", "step 8"]
    assert [one["run"] for one in api.alerts("ada/alarming", per_page=1)] == ["other", "raised", "raised", "raised"]
