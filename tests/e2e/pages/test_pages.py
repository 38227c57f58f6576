"""The pages in a real browser, without a token, as when the URL that `init()` prints is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream_schemas.events import ExitState, Stream
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import path
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.e2e.pages.browser import Browser
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_DRAWN = """
[...document.querySelectorAll('article.chart')].filter(one => one.querySelector('canvas')).map(one => one.dataset.key)
"""
_PAYLOADS = (
    "<script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "'\"><svg onload=document.title='pwned'>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:document.title='pwned'",
)


def _page(served: Served, recording: Recording) -> str:
    run = recording.run
    return f"{served.url}/{run.entity}/{run.project}/runs/{path(run).rpartition('/')[2]}"


def _open(browser: Browser, served: Served, recording: Recording, **options: Any) -> None:
    browser.open(_page(served, recording), **options)
    eventually(lambda: browser.evaluate("document.querySelectorAll('canvas').length > 0"))


def test_run_page_shows_the_whole_run(served: Served, digits: Recording, browser: Browser) -> None:
    """Header, transitions, charts, summary, config, console, machine and delivery are on one page."""
    _open(browser, served, digits, height=3000)
    header = browser.text("#header")
    for expected in ("bright-river-1", "finished", "baseline", "A note.", "ada/digits/digits", "2000", "node-7"):
        assert expected in header
    drawn = ["epoch", "train.loss", "val/accuracy", "cpu.percent"]
    eventually(lambda: sorted(drawn) == sorted(browser.evaluate(_DRAWN)))
    assert "best" in browser.text("#summary")
    assert "0.97" in browser.text("#summary")
    assert "optimizer.momentum" in browser.text("#config")
    assert "line 49" in browser.text("#console")
    assert "complete" in browser.text("#delivery")
    assert browser.complaints == []


def test_charts_show_their_last_value(served: Served, digits: Recording, browser: Browser) -> None:
    """The header of a chart shows its last value."""
    _open(browser, served, digits, height=3000)
    value = "document.querySelector('article[data-key=epoch] output').innerText"
    eventually(lambda: browser.evaluate(value) == "19")


def test_each_writer_has_a_line(served: Served, ranks: tuple[Recording, Recording], browser: Browser) -> None:
    """A chart of a run with two ranks has two lines, listed with their labels and latest values."""
    _open(browser, served, ranks[0])
    eventually(lambda: browser.text("article[data-key=loss] .keys").split() == ["rank", "0", "0", "rank", "1", "1"])
    assert browser.text("article[data-key=loss] output") == "2 writers"


def test_page_follows_a_running_run(served: Served, browser: Browser) -> None:
    """New metrics, values, lines and the end of the run appear without a reload."""
    writer = new_recording("live").start({"a": 1}, name="live-run").beat().rows([{"loss": 1.0}] * 3)
    served.store(writer)
    eventually(lambda: served.run(writer)["state"] == "running")
    _open(browser, served, writer)
    assert browser.evaluate("document.querySelector('main').dataset.live") == "on"
    browser.evaluate("document.querySelector('#header').before('same page')")
    lines: list[dict[str, Any]] = [{"stream": "stdout", "text": "epoch two", "label": "", "host": ""}]
    writer.rows([{"loss": 0.25, "accuracy": 0.5}] * 2, first_step=3).rows(lines, first_step=9, stream=Stream.CONSOLE)
    served.store(writer)
    eventually(lambda: sorted(browser.evaluate(_DRAWN)) == ["accuracy", "loss"])
    eventually(lambda: browser.text("article[data-key=loss] output") == "0.25")
    eventually(lambda: "epoch two" in browser.text("#console"))
    served.store(writer.exit(ExitState.FAILED, exit_code=1, reason="ValueError: no"))
    eventually(lambda: "failed" in browser.text("#header") and "ValueError: no" in browser.text("#header"))
    assert "same page" in browser.text("main")
    assert browser.complaints == []


def test_logged_texts_are_not_executed(served: Served, browser: Browser) -> None:
    """Names, tags, notes, keys, values, labels, reasons and printed lines are shown as text on every page."""
    for number, payload in enumerate(_PAYLOADS):
        writer = new_recording(f"code-{number}", label=payload, project="code")
        writer.start({payload: payload}, name=payload, tags=[payload], notes=payload, group=payload, job_type=payload)
        writer.rows([{payload: 1.0, f"group/{payload}": payload}, {payload: 2.0}]).summary(**{payload: payload})
        lines = [{"stream": payload, "text": payload, "label": payload, "host": payload}]
        writer.rows(lines, first_step=2, stream=Stream.CONSOLE)
        second = new_recording(f"code-{number}", label=f"{payload}2", project="code").start({}).rows([{payload: 3.0}])
        served.store(writer.exit(reason=payload), second.exit(reason=payload))
        for address in (_page(served, writer), f"{served.url}/ada/code", f"{served.url}/"):
            browser.open(address)
            assert browser.evaluate("document.title") != "pwned"
            assert browser.evaluate("document.querySelectorAll('img, main script, svg[onload]').length") == 0
        browser.open(_page(served, writer))
        assert payload in browser.text("#header")
        eventually(lambda: browser.evaluate("document.querySelectorAll('canvas').length > 0"))
        assert browser.evaluate("document.title") != "pwned"
    assert browser.complaints == []


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_small_and_large_screens(
    served: Served, digits: Recording, browser: Browser, width: int, scheme: str
) -> None:
    """No page is wider than its window, in the light and in the dark color scheme."""
    for address in (_page(served, digits), f"{served.url}/ada/digits", f"{served.url}/"):
        browser.open(address, width=width, scheme=scheme)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        background = str(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
        red = int(background.removeprefix("rgb(").split(",")[0])
        assert (red < 64) == (scheme == "dark")
    assert browser.complaints == []


def test_project_page_lists_runs_with_links(served: Served, digits: Recording, browser: Browser) -> None:
    """Each run has its state, its values and a link to its page."""
    browser.open(f"{served.url}/ada/digits")
    links = browser.evaluate("[...document.querySelectorAll('td.name a')].map(one => one.getAttribute('href'))")
    assert f"/ada/digits/runs/{digits.run.run_id}" in links
    table = browser.text("table")
    assert "finished" in table
    assert "bright-river-1" in table


def test_home_page_lists_projects(served: Served, digits: Recording, browser: Browser) -> None:
    """Every project is a link to its page."""
    browser.open(f"{served.url}/")
    links = browser.evaluate("[...document.querySelectorAll('a.project')].map(one => one.getAttribute('href'))")
    assert f"/ada/{digits.run.project}" in links


def test_page_of_an_unknown_run_reloads(served: Served) -> None:
    """The page of a run of which nothing has arrived reloads automatically."""
    answer = httpx.get(f"{served.url}/ada/digits/runs/soon", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert 'http-equiv="refresh"' in answer.text
    assert "Waiting for this run" in answer.text


def test_unknown_project_is_a_page_or_json(served: Served) -> None:
    """For an unknown project, browsers get a page and programs JSON."""
    answer = httpx.get(f"{served.url}/ada/nothing", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Page not found" in answer.text
    assert httpx.get(f"{served.url}/ada/nothing").json()["error"]["code"] == "project_not_found"


def test_pages_work_without_javascript(served: Served, digits: Recording) -> None:
    """The HTML contains everything except the charts."""
    text = httpx.get(_page(served, digits), headers={"Accept": "text/html"}).text
    for expected in ("bright-river-1", "finished", "optimizer.momentum", "line 49", "0.97"):
        assert expected in text
