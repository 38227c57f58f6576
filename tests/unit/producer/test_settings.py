"""Where settings come from, and which goes before which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from runstream.exceptions import UsageError
from runstream.settings import Settings, from_files, resolve

if TYPE_CHECKING:
    from pathlib import Path


def test_arguments_then_ours_then_wandbs_then_files() -> None:
    """The nearest source that says something wins."""
    environ = {"RUNSTREAM_PROJECT": "ours", "WANDB_PROJECT": "theirs", "WANDB_NAME": "name", "WANDB_TAGS": "a, b,"}
    files = {"project": "file", "run_group": "group", "run_name": "file"}

    found = resolve({"entity": "me", "project": None}, environ, files)

    assert (
        found.entity,
        found.project,
        found.run_name,
        found.run_tags,
        found.run_group,
    ) == ("me", "ours", "name", ("a", "b"), "group")
    assert resolve({"project": "argument"}, environ, files).project == "argument"
    assert resolve({}, {}, {}).project == "Uncategorized"


@pytest.mark.parametrize(("given", "expected"), [("dryrun", "offline"), ("run", "online"), ("disabled", "disabled")])
def test_modes_of_wandb_are_understood(given: str, expected: str) -> None:
    """Older names of modes still mean what they meant."""
    assert expected == resolve({}, {"WANDB_MODE": given}, {}).mode


@pytest.mark.parametrize(
    "environ",
    [{"RUNSTREAM_MODE": "x"}, {"RUNSTREAM_DISK": "x"}, {"RUNSTREAM_FINISH_TIMEOUT_S": "-1"}, {"WANDB_SILENT": "x"}],
)
def test_a_value_that_does_not_fit_is_named(environ: dict[str, str]) -> None:
    """The error names the setting and the value."""
    with pytest.raises(ValueError, match="setting "):
        resolve({}, environ, {})


def test_settings_do_not_change() -> None:
    """The settings of a run are frozen, and do not show a key."""
    settings = Settings(api_key="secret")
    with pytest.raises(ValidationError):
        settings.project = "other"
    assert "secret" not in repr(settings)


def test_files_are_read(tmp_path: Path) -> None:
    """The folder's file goes before the user's, and one that is no TOML is an error."""
    user = tmp_path / "home" / "runstream"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('project = "user"\nentity = "user"\n')
    (tmp_path / "runstream.toml").write_text('project = "folder"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "home")}

    assert from_files(environ, tmp_path) == {"project": "folder", "entity": "user"}
    assert from_files({"XDG_CONFIG_HOME": str(tmp_path / "none")}, user) == {}

    (tmp_path / "runstream.toml").write_text("project = ")
    with pytest.raises(UsageError, match="no valid TOML"):
        from_files(environ, tmp_path)


def test_a_bare_string_is_one_tag_and_commas_part_them_in_the_environment() -> None:
    """Only an environment variable, which can hold no list, is taken apart."""
    assert resolve({"run_tags": "a, b"}, {}, {}).run_tags == ("a, b",)
    assert resolve({}, {"RUNSTREAM_TAGS": "a, b"}, {}).run_tags == ("a", "b")
    assert resolve({}, {"RUNSTREAM_CONFIG_PATHS": "a.yaml,b.yaml"}, {}).config_paths == ("a.yaml", "b.yaml")
    assert Settings(config_paths="a, b.yaml").config_paths == ("a, b.yaml",)  # type: ignore[arg-type]


@pytest.mark.parametrize("tags", [[""], ["t" * 65], [5]])
def test_bad_tags_are_a_value_error(tags: list[object]) -> None:
    """A tag has 1 to 64 characters."""
    with pytest.raises(ValueError, match="tags are strings"):
        resolve({"run_tags": tags}, {}, {})


@pytest.mark.parametrize(("given", "expected"), [(True, "auto"), (False, None), ("", None), ("must", "must")])
def test_resume_may_be_a_bool(given: object, expected: str | None) -> None:
    """True is ``auto``, False nothing, as in older versions of W&B."""
    assert resolve({"resume": given}, {}, {}).resume == expected


def test_an_unknown_setting_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that programs carry over from W&B and that mean nothing here do not stop them."""
    assert Settings(project="p", start_method="thread").project == "p"  # type: ignore[call-arg]
    assert capsys.readouterr().err == "runstream: WARNING there is no setting 'start_method'; it is left out\n"
