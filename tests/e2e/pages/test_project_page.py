"""The list of a project's runs: columns, order, filters and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_schemas.events import ExitState
from tests.integration.api.conftest import new_recording
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.e2e.pages.browser import Browser
    from tests.integration.api.serving import Served

_PROJECT = "listed"
_RUNS = 55


@pytest.fixture(scope="module")
def listed(served: Served) -> str:
    """Publish more runs than a page has; return the URL of their project."""
    runs = []
    for number in range(_RUNS):
        run = new_recording(f"run-{number}", project=_PROJECT, later_s=number)
        odd = {"tags": ["odd", "a&b"], "group": "g 1"} if number % 2 else {}
        run.start({"lr": number / 10, "seed": 1, "model": {"size": number}}, name=f"name-{number}", **odd)
        run.rows([{"val/loss": float(number), "aux": 1.0}])
        runs.append(run.exit(ExitState.FAILED if number == 3 else ExitState.FINISHED))
    served.store(*runs)
    return f"{served.url}/ada/{_PROJECT}"


def _names(browser: Browser) -> list[str]:
    found: list[str] = browser.evaluate("[...document.querySelectorAll('td.name > a')].map(one => one.textContent)")
    return found


def _click(browser: Browser, selector: str, text: str) -> None:
    chosen = f"[...document.querySelectorAll('{selector}')].find(one => one.textContent.trim() === '{text}')"
    before = browser.evaluate("location.href")
    browser.evaluate(f"{chosen}.click()")
    eventually(
        lambda: browser.evaluate("location.href") != before and browser.evaluate("document.readyState") == "complete"
    )


def test_columns_are_what_distinguishes_the_runs(listed: str, browser: Browser) -> None:
    """By default there are columns for config that differs and common metrics; ``columns`` chooses others."""
    browser.open(listed)
    heads = "[...document.querySelectorAll('th')].map(one => one.textContent.trim()).slice(5)"
    assert browser.evaluate(heads) == ["config lr", "config model.size", "val/loss", "aux"]
    marks = browser.evaluate("[...document.querySelectorAll('.marks')].map(one => one.textContent.trim())")
    assert "g 1" in marks[0]
    assert "a&b" in marks[0]
    browser.open(f"{listed}?columns=config.seed,val/loss")
    assert browser.evaluate(heads) == ["config seed", "val/loss"]
    assert browser.complaints == []


def test_runs_are_sorted_and_selected_by_links(listed: str, browser: Browser) -> None:
    """A column's head sorts by it; states, tags and groups select; conditions are combined and removed."""
    browser.open(listed)
    _click(browser, "th a", "val/loss")
    assert _names(browser)[:2] == ["name-54", "name-53"]
    _click(browser, "th a", "val/loss ↓")
    assert _names(browser)[:2] == ["name-0", "name-1"]
    _click(browser, ".marks a", "a&b")
    assert _names(browser)[:2] == ["name-1", "name-3"]
    _click(browser, ".filters a", "failed")
    assert _names(browser) == ["name-3"]
    _click(browser, ".filters a", "tag a&b \N{MULTIPLICATION SIGN}")
    _click(browser, ".filters a", "all states")
    assert len(_names(browser)) == 50


def test_name_is_searched(listed: str, browser: Browser) -> None:
    """Typing a part of a name selects runs; if there are none, the page says so and links to all."""
    browser.open(listed)
    field = "document.querySelector('[data-parameter=name]')"
    browser.evaluate(f"{field}.value = 'name-4'; {field}.dispatchEvent(new Event('change'))")
    eventually(lambda: len(_names(browser)) == 11)
    browser.open(f"{listed}?name=nothing")
    assert "No run matches" in browser.text("table")
    _click(browser, "td a", "Show all runs")
    assert len(_names(browser)) == 50


def test_older_runs_have_a_way_back(listed: str, browser: Browser) -> None:
    """The second page has the remaining runs and a link to the first page, with the same conditions."""
    browser.open(f"{listed}?config=seed%3D1")
    first = _names(browser)
    _click(browser, "a.more", "Older runs")
    assert len(_names(browser)) == _RUNS - 50
    _click(browser, "a.more", "← Back to the first runs")
    assert _names(browser) == first
    assert "config=seed" in browser.evaluate("location.href")


def test_list_is_live_though_nothing_runs(served: Served, browser: Browser) -> None:
    """A run that starts after the page was opened appears without a reload."""
    served.store(new_recording("first", project="quiet").start({}).exit())
    browser.open(f"{served.url}/ada/quiet")
    assert browser.evaluate("document.querySelector('main').dataset.live") == ""
    browser.evaluate("document.querySelector('h1').append(' same page')")
    served.store(new_recording("second", project="quiet").start({}, name="second-run").beat())
    eventually(lambda: "second-run" in _names(browser), within=60)
    assert "same page" in browser.text("main")
