"""Metric definitions and pinned config keys, read with the public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.public_api.api import Api
from tests.polling import eventually
from tests.trainers import Server, new_id
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

PROGRAM = """
run = runstream.init(project="tests", id=sys.argv[1], settings={"silent": True}, config={"lr": 0.1, "paper": "x"})
run.define_metric("val/*", step_metric="epoch", summary="max")
run.define_metric("debug", hidden=True)
run.pin_config_keys(["lr"])
run.pin_config_keys(["paper", "lr"])
run.finish()
"""


def test_pinned_keys_and_metric_definitions_can_be_read(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A later list of pinned keys replaces the earlier one; the URL of the page is accepted as a path."""
    run_id = new_id()
    begin = f"import sys, runstream; sys.argv = ['', {run_id!r}]\n"
    status, _, errors = finished(tmp_path, PROGRAM, begin=begin, **stack.environment)
    assert status == 0, errors
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    api = Api({"base_url": stack.url}, api_key=stack.token)
    for path in (f"/{stack.entity}/tests/runs/{run_id}", f"{stack.url}/{stack.entity}/tests/runs/{run_id}?embed=true"):
        run = api.run(path)
        assert run.pinned_config_keys == ["paper", "lr"]
        known = {metric["name"]: metric for metric in run.metrics}
        assert (known["val/*"]["step_metric"], known["val/*"]["summary"]) == ("epoch", ["max"])
        assert known["debug"]["hidden"] is True
