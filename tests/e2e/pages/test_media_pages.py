"""The media of a run's page, the pages of files and artifacts, and content that tries to run scripts."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas.stored.manifest import Manifest, ManifestEntry
from runstream_schemas.stored.objects import object_key
from tests.integration.api.conftest import new_recording
from tests.integration.api.media_run import image_value, media_run, picture, table_file
from tests.integration.api.test_artifacts import Shipper
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.e2e.pages.browser import Browser
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "\"'><script>alert(2)</script>",
    "javascript:alert(3)",
    "<svg onload=alert(4)>",
    "{{constructor.constructor('alert(5)')()}}",
    "</script><script>alert(6)</script>",
)
_SCRIPT = b"<script>alert(7); try { parent.document.title = 'taken' } catch (e) {}</script><body onload=alert(8)>"
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(9)"><script>alert(10)</script></svg>'


@pytest.fixture(scope="module")
def recording(served: Served) -> Recording:
    """Publish a run with media; return its recording."""
    recording = media_run("gallery", project="media-pages")
    served.store(recording)
    return recording


@pytest.fixture(scope="module")
def hostile(served: Served) -> Recording:
    """Publish a run whose names, captions, cells and contents are markup; return its recording."""
    run = new_recording("hostile", project="media-pages").start({}, name=_PAYLOADS[0])
    row: dict[str, Any] = {}
    for number, payload in enumerate(_PAYLOADS):
        name = f"media/images/{payload.replace('/', '_')}.png"
        run.file(name, picture(8, 8, number)).file(f"lost/{number}.png", lost=payload)
        row[f"image {payload}"] = image_value(name, 8, 8, caption=payload)
        row[f"lost {number}"] = image_value(f"lost/{number}.png", 8, 8, caption=payload)
    for name, content in (
        ("page.html", _SCRIPT),
        ("drawing.svg", _SVG),
        ("picture.png", _SCRIPT),
        ("x.js", b"alert(11)"),
    ):
        run.file(f"media/{name}", content)
    cells = [[payload, {"_type": "html-file", "path": "media/page.html"}] for payload in _PAYLOADS]
    run.file("media/cells.table.json", table_file(cells, ["<b>text</b>", "onmouseover=alert(12)"]))
    boxes = {"box_data": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "box_caption": _PAYLOADS[0]}]}
    run.file("media/boxes.json", json.dumps(boxes).encode())
    overlays = {"boxes": {_PAYLOADS[1]: {"_type": "boxes2D", "path": "media/boxes.json"}}}
    row |= {
        "html": {"_type": "html-file", "path": "media/page.html", "caption": _PAYLOADS[0]},
        "svg": {"_type": "image-file", "path": "media/drawing.svg"},
        "html as image": {"_type": "image-file", "path": "media/picture.png", **overlays},
        "cells": {"_type": "table-file", "path": "media/cells.table.json", "nrows": len(cells), "ncols": 2},
        "other": {"_type": "molecule-file", "path": "media/x.js"},
    }
    run.chart(_PAYLOADS[0], "wandb/bar/v0", "cells", _PAYLOADS[3], label="<b>text</b>", value="onmouseover=alert(12)")
    served.store(run.rows([row]).exit())
    return run


def _page(served: Served, recording: Recording, part: str = "") -> str:
    run = recording.run
    return f"{served.url}/{run.entity}/{run.project}/runs/{run.run_id}{part}"


def _panel(key: str) -> str:
    return f"document.querySelector('[data-media={json.dumps(key)}]')"


def test_the_run_page_shows_media(served: Served, recording: Recording, browser: Browser) -> None:
    """Images are loaded, with masks, boxes and captions; tables have rows; other kinds have their elements."""
    browser.open(_page(served, recording), height=4000)

    loaded = f"[...{_panel('digits')}?.querySelectorAll('img') ?? []].filter(one => one.naturalWidth === 28).length"
    eventually(lambda: browser.evaluate(loaded) == 4)
    sample = _panel("sample")
    eventually(lambda: browser.evaluate(f"{sample}.querySelectorAll('.mask, .boxes text').length") == 2)
    assert browser.evaluate(f"{sample}.querySelector('figcaption').textContent") == "step 2"
    assert browser.evaluate(f"{sample}.querySelector('.boxes text').textContent") == "a cat"
    eventually(lambda: "fur\ngrass" in browser.evaluate(f"{sample}.querySelector('.overlays').innerText"))
    assert "not in it" not in browser.evaluate(f"{sample}.innerText")
    eventually(lambda: browser.evaluate(f"{_panel('scores')}.querySelectorAll('tbody tr').length") == 10)
    assert browser.evaluate(f"{_panel('scores')}.querySelectorAll('td img').length") == 10
    elements = {"tone": "audio", "page": "iframe[sandbox=allow-scripts]", "cloud": "canvas", "molecule": "a.file"}
    for key, selector in elements.items():
        eventually(lambda key=key, selector=selector: browser.evaluate(f"!!{_panel(key)}.querySelector('{selector}')"))  # type: ignore[misc]
    eventually(lambda: browser.evaluate(f"{_panel('ranking')}.querySelector('.vega canvas')?.height > 100"))
    eventually(lambda: "cannot be drawn here" in browser.evaluate(f"{_panel('unknown')}.innerText"))
    eventually(lambda: browser.evaluate(f"{_panel('lost')}.innerText").endswith("Lost: the image has no pixels"))
    eventually(lambda: "Uploading" in browser.evaluate(f"{_panel('later')}.innerText"))
    # The chart that cannot be drawn.
    assert [one for one in browser.complaints if "422" not in one] == []


def test_figures_models_and_long_texts_are_shown(served: Served, recording: Recording, browser: Browser) -> None:
    """A Plotly figure is drawn in a frame of its own origin; a model that cannot be read has a message and its file."""
    browser.open(_page(served, recording), height=6000)
    shown = f"{_panel('figure')}?.querySelector('iframe.shown')?.offsetHeight"
    eventually(lambda: browser.evaluate(shown) == 300)
    frame = browser.frame(f"{served.url}/static/frames/plotly.html")
    assert frame is not None
    eventually(lambda: browser.evaluate("document.querySelectorAll('.bars .point').length", frame) == 2)
    assert browser.evaluate("origin", frame) == "null"
    # Whether models are drawn depends on the machine's WebGL.
    eventually(lambda: browser.evaluate(f"!!{_panel('solid')}?.querySelector('iframe.shown, .absent')"))
    eventually(lambda: "Cannot be shown" in browser.evaluate(f"{_panel('bad')}?.innerText ?? ''"))
    assert browser.evaluate(f"!!{_panel('bad')}.querySelector('a.file')")
    eventually(lambda: "Once upon a time." in browser.evaluate(f"{_panel('story')}?.innerText ?? ''"))
    link = "document.querySelector('#summary a[href$=\"story_2.txt\"]').textContent"
    assert browser.evaluate(link) == "text of 0.0 MB"


def test_the_slider_shows_earlier_steps(served: Served, recording: Recording, browser: Browser) -> None:
    """The last step is shown first; the slider has a position for each step."""
    browser.open(_page(served, recording))
    sample = _panel("sample")
    eventually(lambda: browser.evaluate(f"{sample}?.querySelector('output').textContent") == "step 2 · 3 of 3")
    browser.evaluate(
        f"(() => {{ const slider = {sample}.querySelector('input[type=range]'); slider.value = 0; "
        "slider.dispatchEvent(new Event('input')); })()"
    )
    assert browser.evaluate(f"{sample}.querySelector('figcaption').textContent") == "step 0"


def test_tables_are_sorted_and_paged(served: Served, recording: Recording, browser: Browser) -> None:
    """A click on a column sorts by it, the arrow shows the next rows."""
    browser.open(_page(served, recording), height=4000)
    first = f"{_panel('scores')}?.querySelector('tbody td')?.textContent"
    eventually(lambda: browser.evaluate(first) == "row 0")
    browser.evaluate(f"{_panel('scores')}.querySelector('[aria-label=\"Next rows\"]').click()")
    eventually(lambda: browser.evaluate(first) == "row 10")
    click = f"{_panel('scores')}.querySelectorAll('th button')[1].click()"
    browser.evaluate(click)
    eventually(lambda: browser.evaluate(f"{_panel('scores')}.querySelectorAll('tbody td')[1].textContent") == "0")
    browser.evaluate(click)
    eventually(lambda: browser.evaluate(f"{_panel('scores')}.querySelectorAll('tbody td')[1].textContent") == "2.4")


def test_files_are_shown_as_a_tree(served: Served, recording: Recording, browser: Browser) -> None:
    """Folders, sizes, and why a file is lost; a search takes a pattern of LIKE."""
    browser.open(_page(served, recording, "/files"))
    eventually(lambda: "config.yaml" in browser.text("#content"))
    shown = browser.text("#content")
    for expected in ("media/", "images/", "the image has no pixels", "uploading"):
        assert expected in shown
    browser.evaluate("document.getElementById('pattern').value = '%.wav'")
    browser.evaluate("document.getElementById('pattern').dispatchEvent(new Event('input'))")
    eventually(lambda: "config.yaml" not in browser.text("#content"))
    assert "tone_2.wav" in browser.text("#content")
    assert browser.complaints == []


@pytest.mark.parametrize("part", ["", "/files", "/artifacts"])
def test_user_content_runs_no_script_in_a_page(served: Served, hostile: Recording, browser: Browser, part: str) -> None:
    """Names, captions, cells, keys, reasons and contents of files are shown as text, or in a sandbox."""
    browser.open(_page(served, hostile, part), height=8000)
    ready = {
        "": "document.querySelectorAll('[data-media] tbody tr').length === 6 && document.querySelector('iframe')",
        "/files": "document.querySelectorAll('.leaf').length > 10",
        "/artifacts": "document.querySelectorAll('#content section').length === 2",
    }
    eventually(lambda: browser.evaluate(f"!!({ready[part]})"))
    assert [one for one in browser.complaints if "dialog" in one] == []
    assert "taken" not in browser.evaluate("document.title")


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "picture.png", "x.js"])
def test_an_opened_file_runs_no_script_in_our_origin(
    served: Served, hostile: Recording, browser: Browser, name: str
) -> None:
    """A file that is opened by itself has an origin of its own."""
    run = hostile.run
    browser.open(f"{served.url}/api/v1/runs/{run.entity}/{run.project}/{run.run_id}/files/media/{name}")
    assert browser.evaluate("self.origin") in {"null", served.url}
    read = browser.evaluate(
        "fetch('/api/v1/projects').then(answer => answer.ok, () => false)"
        if browser.evaluate("self.origin") == "null"
        else "false"
    )
    assert not read
    assert [one for one in browser.complaints if "dialog" in one] == []


def test_artifact_pages_show_versions_files_and_lineage(served: Served, recording: Recording, browser: Browser) -> None:
    """The run's artifacts, the collections of the project, and a version with its metadata, files and lineage."""
    run = recording.run
    entry = ManifestEntry(size=3, sha256=hashlib.sha256(b"abc").digest())
    reference = ManifestEntry(size=5, reference="javascript:alert(13)", digest="x")
    manifest = Manifest({"weights/<b>model.bin": entry, "data/remote.csv": reference}).encode()
    assert served.object_store is not None
    key = object_key(run.entity, hashlib.sha256(manifest).digest())
    served.object_store.client().put_object(served.prefix, key, io.BytesIO(manifest), len(manifest))
    shipper = Shipper(served, run.project, run.run_id)
    shipper.log("model", "other content")
    metadata = json.dumps({"optimizer": {"name": _PAYLOADS[0]}})
    version = shipper.log("model", manifest.decode(), aliases=["best"], metadata=metadata, description=_PAYLOADS[1])

    browser.open(_page(served, recording, "/artifacts"))
    eventually(lambda: f"model:v{version}" in browser.text("#content"))
    browser.open(f"{served.url}/{run.entity}/{run.project}/artifacts")
    eventually(lambda: f"best \N{RIGHTWARDS ARROW} v{version}" in browser.text("#content"))
    browser.open(f"{served.url}/{run.entity}/{run.project}/artifacts/model/best")
    eventually(lambda: "optimizer.name" in browser.text("#content"))
    shown = browser.text("#content")
    for expected in ("<b>model.bin", "javascript:alert(13)", f"{run.project}/{run.run_id}", *_PAYLOADS[:2]):
        assert expected in shown
    links = browser.evaluate("[...document.querySelectorAll('a')].map(one => one.protocol)")
    assert {*links} == {"http:"}
    assert browser.complaints == []
