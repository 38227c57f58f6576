"""The calls in docs/errors.md raise the documented errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import runstream
from tests.unit.producer.programs import finished

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
ROW = re.compile(r"^\| `(?P<call>.+?)` \| `(?P<error>\w+)` \| ", re.MULTILINE)
ROWS = [(match["call"], match["error"]) for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))]

#: Makes every call, and collects the class names and the message of each error.
PROGRAM = """
import json, sys
import runstream
quiet = {"silent": True, "console": "off"}
raised = {}
def attempt(call, names):
    try:
        exec(call.replace("init(", "init(settings=settings, "), names)
    except Exception as error:
        raised[call] = [[kind.__name__ for kind in type(error).__mro__], str(error)]
    else:
        raised[call] = [[], ""]
calls = json.loads(sys.stdin.read())
settings = runstream.Settings(silent=True, console="off", connect_timeout_s=0.2, init_timeout=0.5)
for call in calls:
    if call.startswith("runstream."):
        attempt(call, {"runstream": runstream, "settings": settings})
        runstream.finish()
done = runstream.init(project="p", mode="offline", settings=quiet)
done.finish()
run = runstream.init(project="p", mode="offline", config={"lr": 0.1}, settings=quiet)
strict = runstream.init(project="p", mode="offline", reinit="create_new", settings={**quiet, "strict": True})
deep = []
deep.append(deep)
names = {"runstream": runstream, "done": done, "strict": strict, "deep": deep}
for call in calls:
    if not call.startswith("runstream."):
        names["run"] = strict if call.startswith("strict.") else run
        attempt(call, names)
strict.finish()
run.finish()
print(json.dumps(raised))
"""


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], str]]:
    """Return the class names and the message of the error of each call."""
    folder = tmp_path_factory.mktemp("errors")
    program = PROGRAM.replace("sys.stdin.read()", repr(json.dumps([call for call, _ in ROWS])))
    status, output, errors = finished(folder, program, begin="", RUNSTREAM_URL="http://127.0.0.1:9")
    assert status == 0, errors
    found: dict[str, tuple[list[str], str]] = json.loads(output)
    return found


@pytest.mark.parametrize(("call", "error"), ROWS)
def test_a_call_raises_the_documented_error(raised: dict[str, tuple[list[str], str]], call: str, error: str) -> None:
    """The error is an instance of the class in the table, and its message is not too short."""
    kinds, message = raised[call]

    assert error in kinds
    assert len(message) > 20, message


def test_the_table_is_found() -> None:
    """The page has as many rows as expected."""
    assert len(ROWS) > 40


def test_invalid_data_is_both_a_value_error_and_a_type_error() -> None:
    """It is an Error, and also has both builtin classes that users of W&B catch."""
    assert issubclass(runstream.DataError, runstream.Error)
    assert issubclass(runstream.DataError, ValueError)
    assert issubclass(runstream.DataError, TypeError)
