"""How a consumer that the supervisor does not run finds its stack."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.cli.consume import main
from runstream_deploy.exceptions import StackError
from runstream_deploy.stack.composition import complete
from runstream_deploy.stack.consumer_settings import consumer_variables
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import read_settings
from runstream_deploy.stack.stack_file import open_stack_file
from runstream_deploy.stack.state import StateWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the settings of whoever runs the tests, and use an empty data folder."""
    for name in [name for name in os.environ if name.startswith("RUNSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RUNSTREAM_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the variables of the services of a stack that this process runs, as its supervisor stores them."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    given = read_settings(postgres="postgresql://me@elsewhere/db", prefix="mine", heartbeat_s=3)
    stack = open_stack_file(folder, given)
    state = StateWriter(folder)
    state.state.environment = complete(given, stack).variables()
    state.report("running")
    folder.discovery.write_text(json.dumps({"url": URL, "token": "t"}))
    with folder.hold():
        yield state.state.environment


def test_the_local_stack_provides_all_settings_but_the_name_of_an_instance(running: dict[str, str]) -> None:
    """Broker, database, secrets and prefix are those that the stack runs with, also of an external database."""
    found = consumer_variables(dict(os.environ))
    assert found == {name: value for name, value in running.items() if value and name != "RUNSTREAM_INSTANCE"}
    assert (found["RUNSTREAM_POSTGRES"], found["RUNSTREAM_PREFIX"]) == ("postgresql://me@elsewhere/db", "mine")
    assert {"RUNSTREAM_KAFKA", "RUNSTREAM_PARTITIONS", "RUNSTREAM_TICK_KEY"} <= found.keys()


def test_the_environment_wins(running: dict[str, str]) -> None:
    """A variable that is set is not replaced; an empty one is not set. The URL of the local stack changes nothing."""
    mine = {"RUNSTREAM_POSTGRES": "postgresql://mine/db", "RUNSTREAM_PREFIX": "", "RUNSTREAM_URL": URL}
    found = consumer_variables(dict(os.environ) | mine)
    assert "RUNSTREAM_POSTGRES" not in found
    assert (found["RUNSTREAM_PREFIX"], found["RUNSTREAM_KAFKA"]) == ("mine", running["RUNSTREAM_KAFKA"])


@pytest.mark.usefixtures("running")
def test_a_broker_in_the_environment_is_not_combined_with_the_local_database() -> None:
    """The offsets of another cluster would be stored as those of the local one."""
    assert consumer_variables(dict(os.environ) | {"RUNSTREAM_KAFKA": "other:9092"}) == {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, r"No local stack in .*/data: start one with `runstream up`, .* or set RUNSTREAM_KAFKA \(host:port\) and"),
        ({"RUNSTREAM_URL": URL}, f"RUNSTREAM_POSTGRES is not set: {URL} does not publish its database"),
        ({"RUNSTREAM_URL": URL, "RUNSTREAM_POSTGRES": "postgresql://m/db"}, f"RUNSTREAM_URL={URL}"),
    ],
)
def test_without_a_stack_the_error_states_what_to_set(more: dict[str, str], message: str) -> None:
    """No stack, a server without a database, and a server that does not answer are errors of one line."""
    with pytest.raises(StackError, match=message) as raised:
        consumer_variables(dict(os.environ) | more)
    assert "\n" not in str(raised.value)


def test_a_stopped_stack_is_named(tmp_path: Path) -> None:
    """The folder of a stack that does not run is an error with the command that starts it."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    open_stack_file(folder, read_settings())
    folder.discovery.write_text("{}")
    with pytest.raises(StackError, match="is not running: start it with `runstream up`"):
        consumer_variables(dict(os.environ))


def test_each_setting_that_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints a line per setting with its variable, value and expectation, and no secret."""
    settings = {"KAFKA": "nowhere", "POSTGRES": "secret", "PARTITIONS": "many", "LOG_LEVEL": "loud"}
    for name, value in settings.items():
        monkeypatch.setenv(f"RUNSTREAM_{name}", value)
    assert main(["history"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "Invalid RUNSTREAM_KAFKA='nowhere'",
        "Invalid RUNSTREAM_POSTGRES",
        "Invalid RUNSTREAM_PARTITIONS='many'",
        "Invalid RUNSTREAM_LOG_LEVEL='loud'",
    ]
    assert lines[:2] == [
        "Invalid RUNSTREAM_KAFKA='nowhere': expected host:port, several separated by commas",
        "Invalid RUNSTREAM_POSTGRES: expected postgresql://user:password@host:port/database",
    ]


def test_without_a_stack_the_command_exits_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The documented start on a machine without a stack prints one line."""
    assert main(["best"]) == 2
    assert capsys.readouterr().err.startswith("runstream: No local stack in ")
