"""Alerts from `run.alert()` to the public API, against a real stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstream.public_api.api import Api
from tests.polling import eventually
from tests.trainers import Server, command, new_id, run_folders
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

RAISE = r"""
import runstream, sys
with runstream.init(project="tests", id=sys.argv[1], mode=sys.argv[2], settings={"silent": True}) as run:
    run.alert("loss is NaN", "step 7", level=runstream.AlertLevel.ERROR, wait_duration=3600)
    for _ in range(20):
        run.alert("loss is NaN", "again")
    run.alert("t" * 100, "odd: \0 \ud800 \U0001f680", level="WARN")
"""


def _alerts(stack: Stack, server: Server, run_id: str) -> list[dict[str, Any]]:
    """Return all alerts of a run, repeats included, once everything has arrived."""
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=60)
    api = Api({"base_url": stack.url}, api_key=stack.token)
    return list(api.run(f"{stack.entity}/tests/{run_id}").scan_alerts(repeats=True))


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_alerts_come_through_and_repeats_are_counted(stack: Stack, server: Server, tmp_path: Path, mode: str) -> None:
    """Every alert is there as it was raised; those that the broker got within the wait of the first are marked."""
    run_id = new_id()
    begin = f"import sys; sys.argv = ['', {run_id!r}, {mode!r}]\n"
    status, _, errors = finished(tmp_path, RAISE, begin=begin, **stack.environment)
    assert status == 0, errors
    if mode == "offline":
        (folder,) = run_folders(tmp_path)
        command("sync", folder, environment=stack.environment)
    first, *again, long = _alerts(stack, server, run_id)
    assert (first["title"], first["text"], first["level"]) == ("loss is NaN", "step 7", "ERROR")
    assert (first["wait_duration"], first["repeat"], first["repeats"]) == (3600.0, False, 20)
    assert [one["repeat"] for one in again] == [True] * 20
    assert (long["title"], long["full_title"], long["level"]) == ("t" * 62 + "…", "t" * 100, "WARN")
    assert long["text"] == "odd: \0 \\ud800 \U0001f680"
