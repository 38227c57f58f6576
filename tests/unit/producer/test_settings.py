"""The sources of settings and their precedence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from runstream.exceptions import UsageError
from runstream.settings import Settings, resolve


@pytest.fixture(autouse=True)
def _own_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder without settings of the user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "runstream").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def _resolved(environ: dict[str, str], **arguments: object) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        return resolve(arguments)


def _write(folder: str = "", user: str = "") -> None:
    Path("runstream.toml").write_text(folder)
    Path("home/runstream/config.toml").write_text(user)


def test_sources_take_precedence_in_order() -> None:
    """Arguments override RUNSTREAM_*, which overrides WANDB_*, the folder's file, and the user's."""
    environ = {"RUNSTREAM_PROJECT": "ours", "WANDB_PROJECT": "theirs", "WANDB_NAME": "name", "WANDB_TAGS": "a, b,"}
    _write('project = "file"\nrun_group = "folder"\nrun_name = "file"', 'run_group = "user"\nrun_job_type = "user"')

    found = _resolved(environ, entity="me", project=None)

    assert (found.entity, found.project, found.run_name, found.run_tags) == ("me", "ours", "name", ("a", "b"))
    assert (found.run_group, found.run_job_type) == ("folder", "user")
    assert _resolved(environ, project="argument").project == "argument"
    _write()
    assert _resolved({"RUNSTREAM_ENTITY": ""}).project == "Uncategorized"


@pytest.mark.parametrize(("given", "expected"), [("dryrun", "offline"), ("run", "online"), ("disabled", "disabled")])
def test_old_modes_of_wandb_are_accepted(given: str, expected: str) -> None:
    """Old names of modes have their meaning."""
    assert expected == _resolved({"WANDB_MODE": given}).mode


@pytest.mark.parametrize(
    "environ",
    [{"RUNSTREAM_MODE": "x"}, {"RUNSTREAM_DISK": "x"}, {"RUNSTREAM_FINISH_TIMEOUT_S": "-1"}, {"WANDB_SILENT": "x"}],
)
def test_an_invalid_value_is_named(environ: dict[str, str]) -> None:
    """The error names the setting and the value."""
    with pytest.raises(ValueError, match="Invalid setting "):
        _resolved(environ)


def test_settings_are_frozen() -> None:
    """The settings of a run cannot be changed, and do not show a key."""
    settings = Settings(api_key="secret")
    with pytest.raises(ValidationError):
        settings.project = "other"
    assert "secret" not in repr(settings)


def test_a_damaged_file_is_an_error() -> None:
    """If a file is not TOML, init() raises an error with the names of the files."""
    _write("project = ")
    with pytest.raises(UsageError, match=r"Invalid settings file \(runstream\.toml or "):
        resolve({})


@pytest.mark.parametrize(
    ("environ", "folder", "user", "arguments", "key"),
    [
        ({"RUNSTREAM_URL": "http://a", "RUNSTREAM_API_KEY": "k"}, "", "", {}, "k"),
        ({"RUNSTREAM_URL": "http://a", "RUNSTREAM_API_KEY": "k"}, "", "", {"base_url": "http://b"}, None),
        ({"RUNSTREAM_URL": "http://a", "RUNSTREAM_API_KEY": "k"}, "", "", {"base_url": "http://A:80/"}, "k"),
        ({"RUNSTREAM_API_KEY": "k"}, "", "", {"base_url": "http://b"}, "k"),
        ({"RUNSTREAM_API_KEY": "k"}, 'base_url = "http://b"', "", {}, None),
        ({"RUNSTREAM_API_KEY": "k"}, "", 'base_url = "http://b"', {}, "k"),
        ({}, 'base_url = "http://b"', 'base_url = "http://a"\napi_key = "k"', {}, None),
        ({}, 'base_url = "http://b"\napi_key = "k"', 'base_url = "http://a"', {}, "k"),
        ({"RUNSTREAM_URL": "http://a"}, "", "", {"api_key": "k"}, "k"),
        ({}, 'base_url = "http://b"', "", {"api_key": "k"}, "k"),
    ],
)
def test_a_key_belongs_to_the_url_of_its_source(
    environ: dict[str, str], folder: str, user: str, arguments: dict[str, str], key: str | None
) -> None:
    """A key is dropped if a source of higher precedence sets another URL."""
    _write(folder, user)
    assert _resolved(environ, **arguments).api_key == key


def test_a_string_is_one_tag_except_in_the_environment() -> None:
    """Only an environment variable is split at commas, since it cannot contain a list."""
    assert resolve({"run_tags": "a, b"}).run_tags == ("a, b",)
    assert _resolved({"RUNSTREAM_TAGS": "a, b"}).run_tags == ("a", "b")
    assert _resolved({"RUNSTREAM_CONFIG_PATHS": "a.yaml,b.yaml"}).config_paths == ("a.yaml", "b.yaml")
    assert Settings(config_paths="a, b.yaml").config_paths == ("a, b.yaml",)  # type: ignore[arg-type]


@pytest.mark.parametrize("tags", [[""], ["t" * 65], [5]])
def test_an_invalid_tag_is_a_value_error(tags: list[object]) -> None:
    """A tag has 1 to 64 characters."""
    with pytest.raises(ValueError, match="Invalid tag"):
        resolve({"run_tags": tags})


@pytest.mark.parametrize(("given", "expected"), [(True, "auto"), (False, None), ("", None), ("must", "must")])
def test_resume_can_be_a_bool(given: object, expected: str | None) -> None:
    """True means ``auto``, False no resume, as in older versions of W&B."""
    assert resolve({"resume": given}).resume == expected


def test_an_unknown_setting_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown settings of W&B do not stop a program."""
    assert Settings(project="p", start_method="thread").project == "p"  # type: ignore[call-arg]
    assert capsys.readouterr().err == "runstream: WARNING Unknown setting 'start_method' is ignored\n"
