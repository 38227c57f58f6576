"""Alerts over HTTP and through the public API."""

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
    """Publish a run with three alerts, one of them raised twice, and another run with one alert; return the first."""
    first = new_recording("raised", project="alarming").start({})
    first.alert("loss is NaN", "step 7", level="error").alert("loss is NaN", "step 8", level="error")
    first.alert("slow", level="warn").alert("hello", wait_ms=1500).exit()
    served.store(first)
    served.store(new_recording("other", project="alarming").start({}).alert("slow").exit())
    return first


def test_a_run_has_its_alerts_in_order_without_repeats(served: Served, raised: Recording) -> None:
    """Each alert has its number of repeats; the repeats themselves are returned on request."""
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


def test_alerts_are_paged(served: Served, raised: Recording) -> None:
    """``next`` continues after the last alert, for a run and for a project."""
    first = served.run(raised, "/alerts", limit=2)
    rest = served.run(raised, "/alerts", after=first["next"])
    assert [one["title"] for one in [*first["alerts"], *rest["alerts"]]] == ["loss is NaN", "slow", "hello"]
    newest = served.get("/api/v1/alerts", entity="ada", project="alarming", limit=2)
    older = served.get("/api/v1/alerts", entity="ada", project="alarming", after=newest["next"])
    found = [(one["run"], one["title"]) for one in [*newest["alerts"], *older["alerts"]]]
    assert found == [("other", "slow"), ("raised", "hello"), ("raised", "slow"), ("raised", "loss is NaN")]
    assert older["next"] is None


@pytest.mark.parametrize("after", ["x", "1.2", "-1.0.0", "²", "1" * 30])
def test_an_invalid_cursor_is_refused(served: Served, raised: Recording, after: str) -> None:
    """The response to an invalid ``after`` is 422, and not a server error."""
    refused = served.ask(f"/api/v1/runs{path(raised.run)}/alerts", after=f"{after}!")
    assert refused.status_code == 422
    answer = served.ask("/api/v1/alerts", after=after)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")


def test_delivery_includes_alerts(served: Served, raised: Recording) -> None:
    """Alerts, including repeats, are counted like records of other topics."""
    delivery = served.run(raised, "/delivery")
    assert delivery["complete"]
    alerts = delivery["writers"][0]["topics"]["alert"]
    assert (alerts["stored"], alerts["counted"], alerts["lost"], alerts["missing"]) == (4, 4, 0, [])


def test_the_public_api_reads_alerts(served: Served, raised: Recording) -> None:
    """Alerts of a run are in order, those of a project newest first."""
    api = Api({"base_url": served.url}, api_key=TOKEN)
    run = api.run(f"{served.url}/ada/alarming/runs/{raised.run.run_id}")
    assert [one["title"] for one in run.alerts] == ["loss is NaN", "slow", "hello"]
    assert [one["text"] for one in run.scan_alerts(repeats=True)][:2] == ["step 7", "step 8"]
    assert [one["run"] for one in api.alerts("ada/alarming", per_page=1)] == ["other", "raised", "raised", "raised"]
