"""``stack.json``: creating, completing, migrating and refusing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_deploy.exceptions import DataFolderError
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import StackSettings
from runstream_deploy.stack.stack_file import PORTS, VERSION, StackFile, open_stack_file, parse, release

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Return an empty data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return folder


def content(folder: DataFolder, **changes: Any) -> str:
    """Return the text of a new file with some entries changed."""
    open_stack_file(folder, StackSettings())
    return json.dumps({**json.loads(folder.stack.read_text()), **changes})


def test_new_file_has_ports_and_settings(folder: DataFolder) -> None:
    """All ports differ; prefix, partitions and entity come from the settings."""
    settings = StackSettings(prefix="lab", partitions=3, entity="ada")
    stack = open_stack_file(folder, settings)
    assert (stack.prefix, stack.partitions, stack.entity) == ("lab", 3, "ada")
    assert list(stack.ports) == list(PORTS)
    assert len(set(stack.ports.values())) == len(PORTS)


def test_existing_file_is_kept(folder: DataFolder) -> None:
    """Opening it again changes nothing, whatever the settings are."""
    assert open_stack_file(folder, StackSettings()) == open_stack_file(folder, StackSettings(partitions=3))


def test_removed_port_is_chosen_again(folder: DataFolder) -> None:
    """Deleting a port from the file, as the error about a used port suggests, assigns another one."""
    before = open_stack_file(folder, StackSettings())
    ports = {name: port for name, port in before.ports.items() if name != "api"}
    folder.stack.write_text(before.model_copy(update={"ports": ports}).model_dump_json())
    after = open_stack_file(folder, StackSettings())
    assert {name: after.ports[name] for name in ports} == ports
    assert after.ports["api"] not in ports.values()


def test_repr_has_no_secrets(folder: DataFolder) -> None:
    """A log or a traceback cannot leak them."""
    stack = open_stack_file(folder, StackSettings())
    shown = repr(stack)
    assert [secret for secret in stack.secrets.model_dump().values() if secret in shown] == []


def test_file_of_a_newer_version_is_refused(folder: DataFolder) -> None:
    """The message states the release that wrote it and what to do."""
    text = content(folder, version=VERSION + 1, runstream="9.9.9")
    with pytest.raises(DataFolderError, match=r"has version 2, written by Runstream 9\.9\.9; .* up to version 1"):
        parse(text, "stack.json")


def test_data_of_a_newer_kafka_is_refused(folder: DataFolder) -> None:
    """A broker cannot read what a newer one wrote."""
    with pytest.raises(DataFolderError, match=r"Kafka 99\.0\.0"):
        parse(content(folder, kafka="99.0.0"), "stack.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": "x"}', '{"version": 1}'])
def test_damaged_file_is_refused(text: str) -> None:
    """A file that cannot be parsed is an error and is not replaced."""
    with pytest.raises(DataFolderError, match=r"stack\.json is damaged"):
        parse(text, "stack.json")


def test_older_file_is_migrated_step_by_step(folder: DataFolder) -> None:
    """Each migration gets the result of the one before, and the result has the newest version."""
    text = content(folder, version=-1, entity="a")
    steps = {
        -1: lambda old: {**old, "entity": old["entity"] + "b"},
        0: lambda old: {**old, "entity": old["entity"] + "c"},
    }
    stack = parse(text, "stack.json", steps)
    assert isinstance(stack, StackFile)
    assert (stack.version, stack.entity) == (VERSION, "abc")


@pytest.mark.parametrize(("older", "newer"), [("4.3.0", "4.3.1"), ("4.9.0", "4.10.0"), ("18.6", "19.0")])
def test_releases_compare_numerically(older: str, newer: str) -> None:
    """4.10 is newer than 4.9."""
    assert release(older) < release(newer)
