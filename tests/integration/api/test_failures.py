"""The exception that ended a run, wherever a run is read."""

from __future__ import annotations

import html
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from runstream.public_api.api import Api
from runstream_schemas.events import ExitState, Failure, Role
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 7, in step\n\tbad\0\nValueError: <bad> batch\n'
FAILURE = Failure(type="ValueError", message="<bad> batch", traceback=TRACEBACK)


@pytest.fixture(scope="module")
def failed(served: Served) -> Recording:
    """Return a run that an exception ended, with a child that another exception ended before."""
    child = new_recording("failed", role=Role.CHILD, project="failures").start({})
    child.exit(ExitState.FAILED, exit_code=1, reason="KeyError: 1", failure=Failure(type="KeyError", message="1"))
    run = new_recording("failed", label="rank 0", project="failures").start({}).rows([{"a": 1}])
    run.exit(ExitState.FAILED, exit_code=1, reason="ValueError: <bad> batch", failure=FAILURE)
    served.store(child, run)
    eventually(lambda: served.run(run)["state"] == "failed")
    return run


def test_documents_have_the_exception(served: Served, failed: Recording, digits: Recording) -> None:
    """The run's document has the exception of the writer that decided; lists omit tracebacks; /state has all."""
    expected = {
        "type": "ValueError",
        "message": "<bad> batch",
        "traceback": TRACEBACK.replace("\0", "\\0"),
        "writer": failed.id.hex(),
        "role": "primary",
        "label": "rank 0",
    }
    (listed,) = served.get("/api/v1/runs", project="failures")["runs"]
    writers = served.run(failed, "/state")["writers"]

    assert served.run(failed)["failure"] == expected
    assert listed["failure"] == {**expected, "traceback": None}
    assert sorted(writer["failure"]["type"] for writer in writers) == ["KeyError", "ValueError"]
    assert served.run(digits)["failure"] is None


def test_the_page_shows_the_exception(served: Served, failed: Recording) -> None:
    """The run's page has the exception, escaped, before anything else that was logged."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    page = httpx.get(f"{served.url}/ada/failures/runs/{failed.run.run_id}", headers=headers).text

    assert "ValueError: &lt;bad&gt; batch" in page
    assert "line 7, in step" in html.unescape(page)
    assert page.index('id="failure"') < page.index('id="groups"')
    assert "1 other process failed" in page


def test_show_and_api_have_the_exception(served: Served, failed: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """``runstream show`` prints it with its traceback; a run of a list reads the traceback when it is asked for it."""
    environ = {"RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN, "COLUMNS": "120", "NO_COLOR": "1"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "runstream.cli.main", "show", str(failed.run)]
    shown = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True).stdout
    (listed,) = Api().runs("failures")

    assert "ValueError: <bad> batch  rank 0" in shown
    assert 'File "train.py", line 7, in step' in shown
    assert "KeyError: 1  child" in shown
    assert listed.failure is not None
    assert listed.failure["traceback"] == TRACEBACK.replace("\0", "\\0")
