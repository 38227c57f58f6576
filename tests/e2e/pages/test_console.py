"""The console of a run: interpreted, paged, searched and downloaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream_schemas.events import Role, Stream
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN, path

if TYPE_CHECKING:
    from tests.e2e.pages.browser import Browser
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_LINES = 2500


def _line(text: str, stream: str = "stdout") -> dict[str, Any]:
    return {"stream": stream, "text": text, "label": "", "host": "node-7"}


@pytest.fixture(scope="module")
def printed(served: Served) -> Recording:
    """Publish a run with many lines, colors and progress bars; return its recording."""
    run = new_recording("printed", project="consoles", role=Role.SHIPPER)
    lines = [_line(f"line {number}") for number in range(_LINES)]
    for first in range(0, _LINES, 500):
        run.rows(lines[first : first + 500], first_step=first, stream=Stream.CONSOLE)
    bars = [_line(f"{percent}%|bar\r", "stderr") for percent in (10, 50)]
    last = [_line("\x1b[32mgreen\x1b[0m \x1b[1m<b>\x1b[0m"), *bars, _line("out"), _line("70%|bar\r", "stderr")]
    served.store(run.rows(last, first_step=_LINES, stream=Stream.CONSOLE))
    return run


def _get(served: Served, run: Recording, part: str = "console", **parameters: str) -> httpx.Response:
    page = f"{served.url}/{run.run.entity}/{run.run.project}/runs/{path(run.run).rpartition('/')[2]}/{part}"
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    answer = httpx.get(page, params=parameters, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def _shown(answer: httpx.Response) -> list[str]:
    return re.findall(r'<span class="std(?:out|err)"[^>]*>(.*?)</span>\n', answer.text)


def test_console_shows_what_a_terminal_shows(served: Served, printed: Recording, browser: Browser) -> None:
    """Colors are interpreted, a progress bar has its current state, and standard error is not red."""
    page = f"{served.url}/ada/consoles/runs/{printed.run.run_id}"
    browser.open(page)
    lines = browser.text("#console pre").splitlines()
    assert [line[len("03:04:05") :] for line in lines[-4:]] == ["line 2499", "green <b>", "out", "70%|bar"]
    color = "getComputedStyle(document.querySelector('#console .{}')).color"
    assert browser.evaluate(color.format("fg2")) == "rgb(18, 122, 56)"
    assert browser.evaluate(color.format("stderr")) == browser.evaluate(color.format("stdout"))
    assert browser.complaints == []


def test_older_lines_are_read_page_by_page(served: Served, printed: Recording) -> None:
    """Following the links to older lines, every line is shown once."""
    found: list[str] = []
    parameters: dict[str, str] = {}
    while True:
        answer = _get(served, printed, **parameters)
        found = [*_shown(answer), *found]
        older = re.search(r'before=([0-9.]+)">Older lines', answer.text)
        if older is None:
            break
        parameters = {"before": older[1]}
    assert found[:_LINES] == [f"line {number}" for number in range(_LINES)]
    assert len(found) == _LINES + 3


def test_lines_are_searched(served: Served, printed: Recording) -> None:
    """A search finds lines by their text without escape sequences, in any case, however old they are."""
    assert _shown(_get(served, printed, search="LINE 17")) == [
        f"line {number}" for number in (17, *range(170, 180), *range(1700, 1800))
    ]
    assert len(_shown(_get(served, printed, search="green <b>"))) == 1
    assert "No line of this part" in _get(served, printed, search="nothing").text


def test_all_lines_are_downloaded(served: Served, printed: Recording) -> None:
    """The download is plain text without escape sequences, under the name of the run."""
    answer = _get(served, printed, "console.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "printed.txt" in answer.headers["Content-Disposition"]
    lines = answer.text.splitlines()
    assert lines[:_LINES] == [f"line {number}" for number in range(_LINES)]
    assert lines[_LINES:] == ["green <b>", "out", "70%|bar"]


def test_unchanged_console_is_not_sent_again(served: Served, printed: Recording) -> None:
    """The page of a running run fetches the console only if lines were added."""
    first = _get(served, printed, fragment="true")
    again = httpx.get(
        str(first.url), headers={"Authorization": f"Bearer {TOKEN}", "If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304


def test_api_returns_older_lines(served: Served, printed: Recording) -> None:
    """The API pages and searches lines as well; the state of a bar that was replaced is left out."""
    answer = served.run(printed, "/console", lines=2)
    assert [line["text"] for line in answer["lines"]] == ["out", "70%|bar\r"]
    earlier = served.run(printed, "/console", lines=2, before=answer["earlier"])
    assert [line["text"][:5] for line in earlier["lines"]] == ["\x1b[32m", "50%|b"]
    assert served.run(printed, "/console", search="LINE 249")["lines"][0]["text"] == "line 249"
    assert served.ask(f"/api/v1/runs{path(printed.run)}/console", before="x").status_code == 422
