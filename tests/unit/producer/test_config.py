"""The config of a run."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest

from runstream.exceptions import ConfigError, UsageError
from runstream.tracking.config.config import Config
from runstream.tracking.values.encoder import ValueEncoder


@pytest.fixture
def recorded() -> list[Any]:
    """Return the list of recorded changes."""
    return []


@pytest.fixture
def config(recorded: list[Any]) -> Config:
    """Return a config with one key."""
    return Config({"lr": 0.1}, recorded.extend)


def test_keys_are_attributes(config: Config) -> None:
    """A value can be read and set as an item or as an attribute."""
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
    """A new value is recorded with its path; an equal value is not recorded."""
    config.update({"net": {"depth": np.int64(2)}, "lr": 0.1})

    assert recorded == [["config", "set", ["net"], {"depth": 2}]]


def test_updating_with_none_is_an_error(config: Config) -> None:
    """As in W&B, update(None) raises TypeError, although init(config=None) is an empty config."""
    with pytest.raises(TypeError, match="Invalid config None"):
        config.update(None)


def test_a_value_can_only_be_changed_on_request(config: Config, recorded: list[Any]) -> None:
    """Without allow_val_change, a different value is an error, and nothing of the call is recorded."""
    with pytest.raises(UsageError, match="allow_val_change"):
        config.update({"new": 1, "lr": 0.2})
    assert (recorded, config.as_dict()) == ([], {"lr": 0.1})

    config.update({"lr": 0.2}, allow_val_change=True)

    assert recorded == [["config", "set", ["lr"], 0.2]]


def test_defaults_do_not_replace_values(config: Config) -> None:
    """setdefaults() only sets keys without a value."""
    config.setdefaults({"lr": 9, "decay": 0})

    assert config.as_dict() == {"lr": 0.1, "decay": 0}


def test_namespaces_and_unusual_values_are_accepted(config: Config) -> None:
    """A namespace is a config, and values that cannot be recorded become text."""
    config.update(argparse.Namespace(device=range, nested={"x": slice}))

    assert (config.device, config.nested) == ("builtins.range", {"x": "builtins.slice"})


@pytest.mark.parametrize("bad", [3, [("a", 1)], argparse])
def test_an_object_without_keys_is_a_type_error(config: Config, recorded: list[Any], bad: Any) -> None:
    """A number, a list of pairs or a module is not a config."""
    with pytest.raises(TypeError, match="Invalid config"):
        config.update(bad)
    assert recorded == []


def test_unusual_keys_become_text() -> None:
    """A key that is not a string becomes one, a long one is shortened, and the empty one is left out: with warnings."""
    warnings: list[str] = []
    config = Config(encoder=ValueEncoder(warn=lambda text, _: warnings.append(text)))
    config.update({1: 2, "": 1, "k" * 600: 3, "\udcff": 4})

    (long,) = (key for key in config if key.startswith("kk"))
    assert dict(config.items()) == {"1": 2, long: 3, "\\udcff": 4}
    assert len(long) == 512
    assert [text.split()[-1] for text in warnings] == ["used", repr(long), "out"]


def test_init_can_allow_changes(recorded: list[Any]) -> None:
    """With allow_val_change in init(), values can be changed, unless a call forbids it."""
    config = Config({"lr": 0.1}, recorded.extend, allow_val_change=True)
    config.lr = 0.2

    assert recorded == [["config", "set", ["lr"], 0.2]]
    with pytest.raises(ConfigError):
        config.update({"lr": 0.3}, allow_val_change=False)


def test_keys_of_a_sweep_are_locked(recorded: list[Any]) -> None:
    """A locked key keeps its value with a warning; the other keys of the call change."""
    warnings: list[str] = []
    config = Config({"lr": 0.1, "a": 1}, recorded.extend, locked=["lr"], warn=warnings.append)

    config.update({"lr": 0.1, "b": 2}, allow_val_change=True)
    assert warnings == []
    config.update({"lr": 9, "a": 3}, allow_val_change=True)

    assert (config.lr, config.a) == (0.1, 3)
    assert len(warnings) == 1
    assert "by the sweep; the change is ignored" in warnings[0]
    assert recorded == [["config", "set", ["b"], 2], ["config", "set", ["a"], 3]]


def test_a_dict_is_replaced_as_a_whole(recorded: list[Any]) -> None:
    """A dict replaces another dict under the same key, without merging."""
    config = Config({"opt": {"lr": 1, "m": 2}}, recorded.extend)
    config.update({"opt": {"lr": 5}}, allow_val_change=True)

    assert config.as_dict() == {"opt": {"lr": 5}}
    assert recorded == [["config", "set", ["opt"], {"lr": 5}]]


def test_a_change_in_place_is_recorded_by_assigning_the_value(recorded: list[Any]) -> None:
    """A change within a value is visible in this process, and recorded when the value is assigned again."""
    config = Config({"opt": {"lr": 1}}, recorded.extend)
    config["opt"]["lr"] = 7
    assert (config["opt"]["lr"], recorded) == (7, [])

    config["opt"] = config["opt"]
    assert recorded == [["config", "set", ["opt"], {"lr": 7}]]


def test_keys_with_an_underscore_are_not_listed(recorded: list[Any]) -> None:
    """Private keys can be read by name; lists and copies do not have them."""
    config = Config({"_hidden": 1, "shown": 2}, recorded.extend)

    assert (config["_hidden"], config._hidden, "_hidden" in config) == (1, 1, True)  # noqa: SLF001 - a key of the user's
    assert dict(config) == config.as_dict() == {"shown": 2}
    assert (list(config.keys()), list(config.values()), list(config.items())) == (["shown"], [2], [("shown", 2)])


def test_dashes_around_keys_are_removed(config: Config) -> None:
    """Options of a command line can have their dashes."""
    config.update({"--epochs": 3})

    assert config.epochs == 3
