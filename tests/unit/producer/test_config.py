"""The config of a run."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest

from runstream.exceptions import DataError, UsageError
from runstream.tracking.config import Config


@pytest.fixture
def recorded() -> list[Any]:
    """Collect what is recorded."""
    return []


@pytest.fixture
def config(recorded: list[Any]) -> Config:
    """Begin with one key."""
    return Config({"lr": 0.1}, recorded.extend)


def test_keys_are_attributes_too(config: Config) -> None:
    """A value is read and set either way."""
    config.epochs = 3
    config["layers"] = (1, 2)

    assert (config["epochs"], config.layers, config.get("lr")) == (3, [1, 2], 0.1)
    assert list(config) == ["lr", "epochs", "layers"]
    assert config.as_dict() == {"lr": 0.1, "epochs": 3, "layers": [1, 2]}
    assert "lr" in config
    with pytest.raises(AttributeError):
        _ = config.missing
    with pytest.raises(KeyError):
        _ = config["missing"]


def test_each_change_is_recorded_once(config: Config, recorded: list[Any]) -> None:
    """What is set is recorded with its path; what has the value already is not."""
    config.update({"net": {"depth": np.int64(2)}, "lr": 0.1})

    assert recorded == [["config", "set", ["net"], {"depth": 2}]]


def test_a_value_changes_only_on_purpose(config: Config, recorded: list[Any]) -> None:
    """Another value for a key needs a word, and without it nothing of the call is recorded."""
    with pytest.raises(UsageError, match="allow_val_change"):
        config.update({"new": 1, "lr": 0.2})
    assert (recorded, config.as_dict()) == ([], {"lr": 0.1})

    config.update({"lr": 0.2}, allow_val_change=True)

    assert recorded == [["config", "set", ["lr"], 0.2]]


def test_defaults_do_not_replace(config: Config) -> None:
    """setdefaults() sets what has no value yet."""
    assert config.setdefaults({"lr": 9, "decay": 0}) == {"lr": 0.1, "decay": 0}


def test_namespaces_and_strange_values_are_taken(config: Config) -> None:
    """Arguments of a command line are a config, and what cannot be recorded is recorded as text."""
    config.update(argparse.Namespace(device=range(3), nested={"x": range(1)}))

    assert (config.device, config.nested) == ("range(0, 3)", {"x": "range(0, 1)"})


@pytest.mark.parametrize("bad", [3, [("a", 1)], argparse])
def test_what_holds_no_keys_is_a_type_error(config: Config, recorded: list[Any], bad: Any) -> None:
    """A number, a list of pairs or a module is no config."""
    with pytest.raises(TypeError, match="config is a dict"):
        config.update(bad)
    assert recorded == []


@pytest.mark.parametrize("bad", [{1: 2}, {"": 1}, {"k" * 513: 1}])
def test_bad_keys_are_refused(config: Config, recorded: list[Any], bad: Any) -> None:
    """Keys are strings that are neither empty nor too long."""
    with pytest.raises(DataError):
        config.update(bad)
    assert recorded == []
