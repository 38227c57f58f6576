"""Alerts from ``run.alert()`` to the public API, with a real stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.public_api.api import Api
from tests.polling import eventually
from tests.trainers import Server, command, new_id, run_folders
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

PROGRAM = r"""
import runstream, sys
with runstream.init(project="tests", id=sys.argv[1], mode=sys.argv[2], settings={"silent": True}) as run:
    run.alert("loss is NaN", "step 7", level=runstream.AlertLevel.ERROR, wait_duration=3600)
    for _ in range(20):
        run.alert("loss is NaN", "again")
    run.alert("t" * 100, "odd: \0 \ud800 \U0001f680", level="WARN")
"""


def _alerts(stack: Stack, server: Server, run_id: str) -> list[dict[str, Any]]:
    """Wait until a run is complete; return all its alerts, including repeats."""
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    api = Api({"base_url": stack.url}, api_key=stack.token)
    return list(api.run(f"{stack.entity}/tests/{run_id}").scan_alerts(repeats=True))


def test_alerts_are_delivered_while_the_run_is_online(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Alerts are stored as raised; repeats within the wait duration of the first one are marked."""
    run_id = new_id()
    _raise_alerts(stack, tmp_path, run_id, "online")
    _check_alerts(_alerts(stack, server, run_id))


def test_alerts_of_an_offline_run_are_delivered_by_sync(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The alerts and the marked repeats are the same as online."""
    run_id = new_id()
    _raise_alerts(stack, tmp_path, run_id, "offline")
    (folder,) = run_folders(tmp_path)
    command("sync", folder, environment=stack.environment)
    _check_alerts(_alerts(stack, server, run_id))


def _raise_alerts(stack: Stack, folder: Path, run_id: str, mode: str) -> None:
    begin = f"import sys; sys.argv = ['', {run_id!r}, {mode!r}]\n"
    status, _, errors = finished(folder, PROGRAM, begin=begin, **stack.environment)
    assert status == 0, errors


def _check_alerts(found: list[dict[str, Any]]) -> None:
    first, *again, long = found
    assert (first["title"], first["text"], first["level"]) == ("loss is NaN", "step 7", "ERROR")
    assert (first["wait_duration"], first["repeat"], first["repeats"]) == (3600.0, False, 20)
    assert [one["repeat"] for one in again] == [True] * 20
    assert (long["title"], long["full_title"], long["level"]) == ("t" * 62 + "…", "t" * 100, "WARN")
    assert long["text"] == "odd: \0 \\ud800 \U0001f680"
