"""Pinned config, notes, alerts and x axes on the page of a run, and the page in a frame of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from runstream_schemas.events import ExitState
from tests.e2e.pages.framing import framing
from tests.integration.api.conftest import new_recording
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.e2e.pages.browser import Browser
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


@pytest.fixture(scope="module")
def recording(served: Served) -> Recording:
    """Publish a run with pinned config, notes, alerts and step metrics; return its recording."""
    trainer = new_recording("recording", project="pages")
    trainer.start(
        {"paper": "See [the paper](https://example.org/paper) for **why**.", "model": {"layers": 12}, "lr": 0.1},
        name="bold-dawn-7",
        notes="# Plan\n\n- warm up\n- `cosine`",
        pinned_config_keys=["paper", "model.layers", "missing"],
    )
    trainer.define("val/*", step_metric="epoch").define("debug", hidden=True).define("epoch", hidden=True)
    trainer.rows([{"train/a/loss": 1 / (step + 1), "debug": step} for step in range(30)])
    trainer.rows([{"val/accuracy": number / 10, "epoch": number * 10} for number in range(10)], first_step=30)
    trainer.alert("loss is NaN", "At step 7:\n<b>NaN</b>", level="error").alert("loss is NaN").alert(
        "slow", level="warn"
    )
    served.store(trainer.exit())
    return trainer


def _page(served: Served, recording: Recording) -> str:
    run = recording.run
    return f"{served.url}/{run.entity}/{run.project}/runs/{run.run_id}"


def test_pinned_config_is_above_the_notes(served: Served, recording: Recording, browser: Browser) -> None:
    """Texts are Markdown whose links open new windows, other values are plain; missing keys are omitted."""
    browser.open(_page(served, recording))
    pinned = browser.text(".pinned")
    assert "See the paper for why." in pinned
    assert "model.layers" in pinned
    assert "12" in pinned
    assert "missing" not in pinned
    assert browser.evaluate("document.querySelector('.pinned strong').textContent") == "why"
    assert browser.evaluate("document.querySelector('.pinned a').rel") == "noopener noreferrer nofollow"
    assert browser.evaluate("document.querySelectorAll('.notes li').length") == 2
    above = "document.querySelector('.pinned').getBoundingClientRect().bottom"
    assert browser.evaluate(f"{above} <= document.querySelector('.notes').getBoundingClientRect().top")
    assert browser.complaints == []


def test_alerts_are_above_the_charts_latest_first(served: Served, recording: Recording, browser: Browser) -> None:
    """Each alert is shown once, with its number of repeats and its text."""
    browser.open(_page(served, recording))
    titles = browser.evaluate("[...document.querySelectorAll('#alerts h3')].map(one => one.textContent)")
    assert titles == ["slow", "loss is NaN"]
    shown = browser.text("#alerts")
    for expected in ("ERROR", "WARN", "\N{MULTIPLICATION SIGN} 2", "At step 7:\n<b>NaN</b>"):
        assert expected in shown


def test_alert_appears_on_the_page_of_a_running_run(served: Served, browser: Browser) -> None:
    """A new alert is shown without a reload."""
    run = new_recording("warning", project="alarms").start({}).beat()
    served.store(run)
    browser.open(_page(served, run))
    assert browser.evaluate("document.querySelector('#alerts').offsetHeight") == 0
    served.store(run.alert("too hot", level="warn").beat(1))
    eventually(lambda: "too hot" in browser.text("#alerts"))
    assert browser.evaluate("document.querySelector('#alerts').offsetHeight") > 0


def test_run_without_alerts_has_no_alert_section(served: Served, digits: Recording, browser: Browser) -> None:
    """The section of alerts is hidden if there are none."""
    browser.open(_page(served, digits))
    assert browser.evaluate("document.querySelector('#alerts').offsetHeight") == 0


def test_project_page_shows_the_latest_alerts(served: Served, recording: Recording, browser: Browser) -> None:
    """Each alert links to its run."""
    browser.open(f"{served.url}/ada/pages")
    titles = browser.evaluate("[...document.querySelectorAll('#alerts h3')].map(one => one.textContent)")
    assert titles == ["slow", "loss is NaN"]
    links = browser.evaluate("[...document.querySelectorAll('#alerts a')].map(one => one.getAttribute('href'))")
    assert links == [f"/ada/pages/runs/{recording.run.run_id}"] * 2
    assert "_step" not in browser.text("table")
    assert browser.complaints == []


def test_charts_follow_metric_definitions(served: Served, recording: Recording, browser: Browser) -> None:
    """Hidden metrics have no chart, sections are one level deep, and a step metric is the x axis."""
    browser.open(_page(served, recording), height=2000)
    eventually(lambda: browser.evaluate("document.querySelectorAll('canvas').length") == 2)
    sections = browser.evaluate("[...document.querySelectorAll('.group[id^=group-]')].map(one => one.id)")
    assert sections == ["group-history-train", "group-history-val"]
    over = "document.querySelector(\"article[data-key='val/accuracy']\").dataset.over"
    assert browser.evaluate(over) == "epoch"
    assert "over epoch" in browser.text("article[data-key='val/accuracy'] h3")
    box = browser.evaluate(
        "(() => { const box = document.querySelector(\"article[data-key='val/accuracy'] .u-over\")"
        ".getBoundingClientRect(); return [box.right - 3, box.top + 20] })()"
    )
    browser.command("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": box[0], "y": box[1]})
    read = "document.querySelector(\"article[data-key='val/accuracy'] output\").textContent"
    eventually(lambda: browser.evaluate(read) == "epoch 90  0.9")
    assert browser.complaints == []


@pytest.mark.parametrize("state", [ExitState.PREEMPTED, ExitState.KILLED, ExitState.CRASHED])
def test_every_state_has_a_color(served: Served, browser: Browser, state: ExitState) -> None:
    """No state has the color of an unknown state."""
    run = new_recording(f"end-{state.value}", project="ends").start({}).exit(state, exit_code=1)
    served.store(run)
    browser.open(_page(served, run))
    colour = "getComputedStyle(document.querySelector('h1 + .state')).color"
    assert browser.text("h1 + .state") == state.value
    assert browser.evaluate(colour) != browser.evaluate("getComputedStyle(document.querySelector('.facts')).color")


def test_notebook_can_frame_a_run_page(served: Served, recording: Recording, browser: Browser) -> None:
    """In a frame of another origin on this machine, the page is displayed without navigation."""
    with framing(f"{_page(served, recording)}?embed=true") as notebook:
        browser.open(notebook)
        frame = eventually(lambda: browser.frame(_page(served, recording)))
        eventually(lambda: browser.evaluate("document.querySelectorAll('canvas').length > 0", frame))
        assert "bold-dawn-7" in browser.evaluate("document.querySelector('h1').innerText", frame)
        assert browser.evaluate("document.querySelector('.bar')", frame) is None
        links = browser.evaluate("[...document.querySelectorAll('a')].map(one => one.target)", frame)
        assert set(links) == {"_blank"}
        assert browser.evaluate("document.querySelectorAll('form, input, button').length", frame) == 0
    assert browser.complaints == []


def test_other_responses_cannot_be_framed(served: Served, recording: Recording, browser: Browser) -> None:
    """The page with navigation, other pages and responses of the API refuse to be framed."""
    pages = [
        _page(served, recording),
        f"{served.url}/",
        f"{served.url}/ada/pages",
        f"{served.url}/api/v1/runs?embed=true",
    ]
    for page in pages:
        answer = httpx.get(page, headers={"Accept": "text/html"})
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    with framing(_page(served, recording)) as notebook:
        browser.open(notebook)
        eventually(lambda: any("frame" in complaint.lower() for complaint in browser.complaints))
    answer = httpx.get(f"{served.url}/ada/pages/runs/not-yet?embed=true", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "X-Frame-Options" not in answer.headers
    assert 'class="bar"' not in answer.text
