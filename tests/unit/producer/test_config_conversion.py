"""The accepted forms of a config, and the recorded forms of its values."""

from __future__ import annotations

import datetime as dt
import enum
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from absl import flags
from pydantic import BaseModel

from runstream.exceptions import ConfigError, UsageError
from runstream.settings import Settings
from runstream.tracking.config.config import Config
from runstream.tracking.config.conversion import ConfigSources, select_keys, to_config


class _Size(enum.Enum):
    LARGE = "large"


@dataclass
class _Net:
    depth: int = 3
    layers: list[int] = field(default_factory=lambda: [1, 2])


@dataclass
class _Options:
    lr: float = 0.1
    net: _Net = field(default_factory=_Net)


class _Model(BaseModel):
    lr: float = 0.1
    size: _Size = _Size.LARGE


class _Class:
    lr = 0.1


def test_dataclasses_and_pydantic_models_are_configs() -> None:
    """Their fields are the keys; nested dataclasses become dicts."""
    assert to_config(_Options()) == {"lr": 0.1, "net": {"depth": 3, "layers": [1, 2]}}
    assert to_config(_Model()) == {"lr": 0.1, "size": "LARGE"}
    assert to_config({"net": _Net(), "model": _Model()}) == {
        "net": {"depth": 3, "layers": [1, 2]},
        "model": {"lr": 0.1, "size": "LARGE"},
    }


def test_the_config_of_another_run_is_a_config() -> None:
    """Any object with keys and items is a mapping, also when nested."""
    other = Config({"lr": 0.1, "_hidden": 1})

    assert to_config(other) == {"lr": 0.1}
    assert to_config({"other": other}) == {"other": {"lr": 0.1}}


def test_flags_of_absl_are_configs() -> None:
    """The keys are the flags that a program defined, parsed or not."""
    values = flags.FlagValues()  # type: ignore[no-untyped-call] # absl's own
    flags.DEFINE_float("lr", 0.1, "", flag_values=values)
    flags.DEFINE_list("layers", ["a"], "", flag_values=values)

    assert to_config(values) == {"lr": 0.1, "layers": ["a"]}


def test_attributes_of_a_class_are_a_config() -> None:
    """Attributes that every class has are not included."""
    assert to_config(_Class) == {"lr": 0.1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "lr: 0.3\nopt:\n  name: adam\nlayers: [1, 2]\n"),
        ("c.yml", "wandb_version: 1\nlr:\n  desc: rate\n  value: 0.3\nopt:\n  value: {name: adam}\nlayers: [1, 2]\n"),
        ("c.json", '{"lr": {"value": 0.3}, "opt": {"name": "adam"}, "layers": [1, 2]}'),
    ],
)
def test_files_have_values_with_or_without_descriptions(tmp_path: Path, name: str, text: str) -> None:
    """A YAML or JSON file has keys, each with a value or with ``{value: …, desc: …}``."""
    (tmp_path / name).write_text(text)

    expected = {"lr": 0.3, "opt": {"name": "adam"}, "layers": [1, 2]}
    assert to_config(tmp_path / name) == to_config(str(tmp_path / name)) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.yaml", "- 1\n- 2\n", "expected keys and values"),
        ("c.yaml", "a: [1", "not YAML"),
        ("c.yaml", "a: 2026-13-45", "not YAML"),
        ("c.json", "{", "not JSON"),
    ],
)
def test_an_invalid_file_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    """The error has the name of the file and the reason."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        to_config(tmp_path / name)
    with pytest.raises(ConfigError, match=r"Cannot read config file .*missing\.yaml"):
        to_config(tmp_path / "missing.yaml")


def test_an_empty_file_is_an_empty_config(tmp_path: Path) -> None:
    """A file without content has no keys."""
    (tmp_path / "c.yaml").write_text("")
    assert to_config(tmp_path / "c.yaml") == {}


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (math.nan, None),
        (math.inf, math.inf),
        ([1.0, math.nan, {"x": math.nan}], [1.0, None, {"x": None}]),
        (np.array([1.0, math.nan]), [1.0, None]),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        ((1, 2), [1, 2]),
        ({5}, [5]),
        (PurePosixPath("a/b"), "a/b"),
        (dt.timedelta(seconds=5), "0:00:05"),
        (dt.date(2021, 2, 3), "2021-02-03"),
        (int, "builtins.int"),
        (math.sqrt, "math.sqrt"),
        (b"q", "q"),
        (range(3), [0, 1, 2]),
        (slice(1, 3), {"slice_start": 1, "slice_step": None, "slice_stop": 3}),
        (_Size.LARGE, "LARGE"),
        (complex(1, 2), "1+2j"),
        ({"a": {1: object}}, {"a": {"1": "builtins.object"}}),
    ],
)
def test_values_become_plain(value: Any, recorded: Any) -> None:
    """Values become plain ones, NaN becomes None, and other objects become text."""
    assert to_config({"key": value}) == {"key": recorded}


def test_an_unknown_object_becomes_text() -> None:
    """The text is that of ``str()``."""
    thing = object()
    assert to_config({"key": [thing]}) == {"key": [str(thing)]}


def test_a_recursive_list_is_cut_off() -> None:
    """A note is recorded where a list contains itself."""
    endless: list[Any] = [1]
    endless.append(endless)

    assert to_config({"key": endless}) == {"key": [1, "[not recorded: it contains itself]"]}


def test_keys_are_included_or_excluded() -> None:
    """Including and excluding keys at the same time is an error."""
    given = {"a": 1, "b": 2}

    assert select_keys(given) == given
    assert select_keys(given, include=["a", "z"]) == {"a": 1}
    assert select_keys(given, exclude=["a", "z"]) == {"b": 2}
    assert select_keys({"a": 1, "ab": 2}, include="ab") == {"ab": 2}
    with pytest.raises(UsageError, match="not both"):
        select_keys(given, ["a"], ["a"])


def test_the_argument_takes_precedence_over_files(tmp_path: Path) -> None:
    """``config-defaults.yaml``, the files in the settings, and the argument override each other in this order."""
    (tmp_path / "config-defaults.yaml").write_text("a: defaults\nb: defaults\nc: defaults\n")
    (tmp_path / "more.yaml").write_text("b: more\nc: more\n")
    settings = Settings(config_paths=("more.yaml",))

    assert ConfigSources.of(settings, {"c": "given"}, tmp_path).given == {"a": "defaults", "b": "more", "c": "given"}
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        ConfigSources.of(Settings(config_paths=("absent.yaml",)), {}, tmp_path)
