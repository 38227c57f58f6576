"""Open, joined and late rows, from ``log()`` to the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.polling import eventually
from tests.trainers import Server, new_id, run_to_end

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

CALLS: list[tuple[dict[str, Any], int | None, bool | None]] = [
    ({"a": 1}, 10, None),
    ({"a": 0, "eval": 1}, 3, None),
    ({"b": 1}, 10, None),
    ({"eval": 2}, 4, True),
    ({"n": {"x": 1}}, None, False),
    ({"n": {"y": 2}}, None, None),
    ({"a": 2}, None, None),
    ({"a": 7}, 10, None),
    ({"a": 9}, -1, None),
]


def test_late_rows_do_not_change_the_open_row(server: Server, stack: Stack, tmp_path: Path) -> None:
    """A call with an earlier step is a separate row, which is marked late and does not change the summary."""
    run_id = new_id()
    assert run_to_end("log_calls", run_id, json.dumps(CALLS), environment=stack.environment, folder=tmp_path) == 0
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)

    rows = server.run(run_id, "/scan")["rows"]
    values = [(row["_step"], row["_late"], {key: row[key] for key in row if not key.startswith("_")}) for row in rows]
    assert values == [
        (-1, True, {"a": 9}),
        (3, True, {"a": 0, "eval": 1}),
        (4, True, {"eval": 2}),
        (10, False, {"a": 1, "b": 1, "n": {"x": 1, "y": 2}}),
        (10, True, {"a": 7}),
        (11, False, {"a": 2}),
    ]
    assert {"a": 2, "b": 1, "eval": 2, "n": {"x": 1, "y": 2}}.items() <= server.run(run_id)["summary"].items()
    output = (tmp_path / "output.txt").read_text()
    assert output.count("WARNING") == 1
    assert "step 3 is lower than the current step 10: the row is kept, marked late" in output
