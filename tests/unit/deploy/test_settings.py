"""The settings of a stack: the environment, the data folder, and errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.exceptions import StackError
from runstream_deploy.stack.composition import assemble, complete
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import StackSettings, read_settings
from runstream_deploy.stack.stack_file import StackFile, open_stack_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("RUNSTREAM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def stack(tmp_path: Path) -> StackFile:
    """Return the stack file of a new data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return open_stack_file(folder, read_settings())


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a variable; an empty one is not set."""
    for name, value in {"KAFKA": "b:1", "PARTITIONS": "3", "ENTITY": "", "S3_BUCKET": ""}.items():
        monkeypatch.setenv(f"RUNSTREAM_{name}", value)
    settings = read_settings()
    assert (settings.kafka, settings.partitions, settings.s3_bucket) == ("b:1", 3, "runstream")
    assert settings.entity


@pytest.mark.parametrize(("name", "value"), [("PARTITIONS", "many"), ("PARTITIONS", "0"), ("HEARTBEAT_S", "-1")])
def test_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The message has the variable and its value."""
    monkeypatch.setenv(f"RUNSTREAM_{name}", value)
    with pytest.raises(StackError, match=f"Invalid RUNSTREAM_{name}='{value}': Input should be"):
        read_settings()


def test_data_folder_completes_the_settings(stack: StackFile) -> None:
    """Servers that are not named are those of the stack, with their credentials; repeating it changes nothing."""
    settings = complete(StackSettings(token="mine"), stack)
    ports, secrets = stack.ports, stack.secrets
    assert settings.kafka == f"127.0.0.1:{ports['kafka']}"
    assert settings.postgres == f"postgresql://postgres:{secrets.postgres}@127.0.0.1:{ports['postgres']}/runstream"
    assert settings.s3_endpoint == f"http://127.0.0.1:{ports['s3']}"
    assert (settings.s3_access_key, settings.s3_secret_key) == (secrets.s3_access_key, secrets.s3_secret_key)
    assert (settings.token, settings.tick_key) == ("mine", secrets.tick_key)
    assert complete(settings, stack) == settings


def test_named_servers_are_used_with_their_credentials(stack: StackFile) -> None:
    """The secrets of the stack are not sent to an external object store; prefix and partitions are the folder's."""
    servers = {"kafka": "b:1", "postgres": "postgresql://a@b/c", "s3_endpoint": "https://s3"}
    settings = complete(read_settings(**servers, prefix="x", partitions=99), stack)
    assert (settings.kafka, settings.postgres, settings.s3_endpoint) == ("b:1", "postgresql://a@b/c", "https://s3")
    assert (settings.s3_access_key, settings.s3_secret_key) == ("", "")
    assert (settings.prefix, settings.partitions) == (stack.prefix, stack.partitions)


def test_representation_has_no_secrets(stack: StackFile) -> None:
    """A log or a traceback cannot leak them."""
    shown = repr(complete(StackSettings(), stack))
    assert [secret for secret in stack.secrets.model_dump().values() if secret in shown] == []


@pytest.mark.parametrize("url", ["", "https://runs.example.org"])
def test_api_knows_the_url_for_users(stack: StackFile, url: str) -> None:
    """Its process gets RUNSTREAM_PUBLIC_URL of the stack, or else its own address."""
    composition = assemble(stack, StackSettings(public_url=url), [])
    expected = url or f"http://127.0.0.1:{stack.ports['api']}"
    (api,) = [service for service in composition.applications if service.name == "api"]
    assert (composition.url, api.command().environment["RUNSTREAM_PUBLIC_URL"]) == (expected, expected)


def test_processes_get_the_settings_as_variables(stack: StackFile) -> None:
    """What they read is what the stack read."""
    settings = complete(StackSettings(heartbeat_s=0.5), stack)
    given = {name.removeprefix("RUNSTREAM_").lower(): value for name, value in settings.variables().items()}
    assert read_settings(**given) == settings
