"""What charts draw and say, and what a live refresh keeps."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas.events import Role, Stream
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import path
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.e2e.pages.browser import Browser
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_NAN = math.nan


@pytest.fixture(scope="module")
def gaps(served: Served) -> Recording:
    """Publish a run with NaN, histograms and constants; return its recording."""
    run = new_recording("gaps", project="charts").start({})
    counts = {"_type": "histogram", "bins": [-1.0, 0.0, 1.0, 2.0], "values": [1, 5, 2]}
    packed = {"_type": "histogram", "packedBins": {"min": 0, "size": 0.5, "count": 2}, "values": [3, 4]}
    rows = [
        {
            "isolated": math.sin(step / 10) if step % 7 == 0 else _NAN,
            "diverged": 0.5 if step < 40 else _NAN,
            "tenths": step / 10,
            "weights": counts,
            "layer": {"bias": packed},
        }
        for step in range(60)
    ]
    run.rows(rows).summary(several=[1.0, _NAN, 3.0]).exit()
    shipper = new_recording("gaps", role=Role.SHIPPER, project="charts")
    system = [{"cpu": {"count": 8, "percent": 10.0}} for _ in range(10)]
    served.store(run, shipper.rows(system, stream=Stream.SYSTEM).exit())
    return run


def _open(browser: Browser, served: Served, run: Recording, *keys: str, **options: Any) -> None:
    browser.open(f"{served.url}/{run.run.entity}/{run.run.project}/runs/{path(run.run).rpartition('/')[2]}", **options)
    for key in keys:
        eventually(lambda key=key: browser.evaluate(f"!!{_chart(key)}?.querySelector('canvas')"))  # type: ignore[misc]


def _chart(key: str) -> str:
    return f"document.querySelector('article[data-key={json.dumps(key)}]')"


def _heading(browser: Browser, key: str) -> str:
    return str(browser.evaluate(f"{_chart(key)}.querySelector('output').textContent"))


def _mouse(browser: Browser, kind: str, key: str, part: float) -> None:
    """Move, press or release the mouse at a part of the width of a chart."""
    x, y = browser.evaluate(
        f"(() => {{ const box = {_chart(key)}.querySelector('.u-over').getBoundingClientRect();"
        f"return [box.left + box.width * {part}, box.top + box.height / 2] }})()"
    )
    pressed = {"button": "left", "buttons": 1, "clickCount": 1} if kind != "mouseMoved" else {}
    browser.command("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **pressed})


def test_isolated_points_are_drawn(served: Served, gaps: Recording, browser: Browser) -> None:
    """Finite points whose neighbors are NaN are visible: the chart has pixels of the color of its curve."""
    _open(browser, served, gaps, "isolated")
    pixels = f"""(() => {{
      const canvas = {_chart("isolated")}.querySelector('canvas');
      const {{data}} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) count += data[at + 3] > 200 && data[at + 2] > data[at] + 100;
      return count;
    }})()"""
    assert browser.evaluate(pixels) > 50


def test_heading_is_the_latest_value_even_if_it_is_not_finite(
    served: Served, gaps: Recording, browser: Browser
) -> None:
    """A curve that ends in NaN is headed with NaN, and its last finite value is named as such."""
    _open(browser, served, gaps, "diverged", "tenths")
    assert _heading(browser, "diverged") == "NaN last finite 0.5"
    assert _heading(browser, "tenths") == "5.9"


def test_hovering_leaves_the_curve_visible(served: Served, gaps: Recording, browser: Browser) -> None:
    """The point under the cursor has the color of the curve, and the heading its step and value."""
    _open(browser, served, gaps, "tenths")
    _mouse(browser, "mouseMoved", "tenths", 0.999)
    eventually(lambda: _heading(browser, "tenths") == "step 59  5.9")
    color = f"getComputedStyle({_chart('tenths')}.querySelector('.u-cursor-pt')).backgroundColor"
    assert browser.evaluate(color) == "rgb(52, 87, 213)"


def test_histograms_are_drawn(served: Served, gaps: Recording, browser: Browser) -> None:
    """A histogram is a chart with a bar for each bin, and one entry of the summary; its parts are neither."""
    _open(browser, served, gaps, "tenths")
    for key, bins in (("weights", 3), ("layer.bias", 2)):
        eventually(lambda key=key: browser.evaluate(f"{_chart(key)}.querySelectorAll('rect').length"))  # type: ignore[misc]
        assert browser.evaluate(f"{_chart(key)}.querySelectorAll('rect').length") == bins
    keys = browser.evaluate("[...document.querySelectorAll('#history article')].map(one => one.dataset.key)")
    assert keys == ["diverged", "isolated", "layer.bias", "tenths", "weights"]
    summary = browser.evaluate("[...document.querySelectorAll('#summary dt')].map(one => one.textContent)")
    assert summary == ["diverged", "isolated", "layer.bias", "several", "tenths", "weights"]
    assert browser.evaluate("document.querySelectorAll('#summary svg rect').length") == 5
    assert "[1.0, NaN, 3.0]" in browser.text("#summary")


def test_constants_of_the_machine_have_no_chart(served: Served, gaps: Recording, browser: Browser) -> None:
    """The number of processors is not drawn as a curve."""
    _open(browser, served, gaps, "tenths", height=2500)
    eventually(lambda: browser.evaluate(f"!!{_chart('cpu.percent')}"))
    assert browser.evaluate(_chart("cpu.count")) is None


def test_refresh_keeps_zoom_folding_and_search(served: Served, browser: Browser) -> None:
    """New rows are drawn while the selected range, folded sections and the text of the search stay as they are."""
    run = new_recording("zoomed", project="charts").start({}).beat()
    served.store(run.rows([{"loss": step, "val/loss": 1.0} for step in range(101)]))
    _open(browser, served, run, "loss", "val/loss")
    browser.evaluate("document.getElementById('group-history-val').open = false")
    browser.evaluate("document.getElementById('search').value = 'LOSS'")
    browser.evaluate("document.getElementById('search').dispatchEvent(new Event('input'))")
    browser.evaluate("document.getElementById('group-history-val').open = false")
    for kind, part in (("mouseMoved", 0.2), ("mousePressed", 0.2), ("mouseMoved", 0.4), ("mouseReleased", 0.4)):
        _mouse(browser, kind, "loss", part)
    edges = ((0.001, "step 20"), (0.5, "step 30"))
    for part, step in edges:
        _mouse(browser, "mouseMoved", "loss", part)
        eventually(lambda step=step: _heading(browser, "loss").startswith(step))  # type: ignore[misc]
    _mouse(browser, "mouseMoved", "loss", 2)
    served.store(run.rows([{"loss": 500.0, "val/loss": 1.0}], first_step=101))
    eventually(lambda: _heading(browser, "loss") == "500")
    for part, step in edges:
        _mouse(browser, "mouseMoved", "loss", part)
        eventually(lambda step=step: _heading(browser, "loss").startswith(step))  # type: ignore[misc]
    assert not browser.evaluate("document.getElementById('group-history-val').open")
    assert browser.evaluate("document.getElementById('search').value") == "LOSS"
    assert browser.complaints == []


def test_run_with_thousands_of_keys(served: Served, browser: Browser) -> None:
    """Of 3,000 keys only those in view are drawn, sections are folded, and any key is found by a search."""
    run = new_recording("many", project="charts").start({})
    rows = [{f"layer{key % 10}/w{key}": float(key) for key in range(3000)} for _ in range(2)]
    served.store(run.rows(rows).exit())
    _open(browser, served, run, "layer0/w0")
    assert browser.evaluate("document.documentElement.scrollHeight") < 20_000
    assert browser.evaluate("document.querySelectorAll('canvas').length") < 40
    assert browser.evaluate("document.querySelectorAll('#history > details').length") == 10
    assert browser.evaluate("document.querySelectorAll('#history > details[open]').length") < 5
    assert browser.evaluate("document.querySelectorAll('#summary dt').length") <= 301
    browser.evaluate("document.getElementById('search').value = 'LAYER7 w2997'")
    browser.evaluate("document.getElementById('search').dispatchEvent(new Event('input'))")
    eventually(lambda: browser.evaluate(f"!!{_chart('layer7/w2997')}?.querySelector('canvas')"))
    assert browser.evaluate("document.querySelectorAll('#history article').length") == 1
    eventually(lambda: browser.text("#summary dl").split() == ["layer7/w2997", "2997"])
    assert browser.complaints == []
