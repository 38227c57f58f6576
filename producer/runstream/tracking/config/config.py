"""The config of a run, as the process that logs sees it."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any

from runstream.exceptions import ConfigError, UsageError
from runstream.tracking.config.sources import to_config
from runstream.tracking.values.entries import config_entry

if TYPE_CHECKING:
    from runstream.tracking.values.entries import ConfigEntry


class Config:
    """Hyperparameters: a mapping whose keys are attributes too. What is changed is recorded at once.

    A key that has a value keeps it: changing it needs ``update(..., allow_val_change=True)``, or the argument of this
    name of ``init()``. A dict is replaced as a whole. What is changed within a value, such as
    ``config["net"]["depth"] = 3``, is not recorded; assign the value again. Keys that begin with an underscore are
    kept and recorded, but not listed. Values of a type that cannot be recorded are recorded as their text.

    Args:
        items: The values to begin with, as :meth:`update` takes them; they are recorded by whoever makes the run.
        record: Called with the entries of each change; None: nothing is recorded.
        locked: Keys that keep their value whatever is set; a sweep chose them.
        allow_val_change: Whether keys may change without a word.
        warn: Called with what was ignored.
    """

    _items: dict[str, Any]
    _record: Callable[[Sequence[ConfigEntry]], None]
    _locked: frozenset[str]
    _allowed: bool
    _warn: Callable[[str], None]

    def __init__(
        self,
        items: Any = None,
        record: Callable[[Sequence[ConfigEntry]], None] | None = None,
        locked: Iterable[str] = (),
        *,
        allow_val_change: bool = False,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        object.__setattr__(self, "_items", to_config(items))
        object.__setattr__(self, "_record", record or _unrecorded)
        object.__setattr__(self, "_locked", frozenset(locked))
        object.__setattr__(self, "_allowed", allow_val_change)
        object.__setattr__(self, "_warn", warn or _unrecorded)

    def with_recorder(
        self, record: Callable[[Sequence[ConfigEntry]], None], warn: Callable[[str], None] | None = None
    ) -> Config:
        """Return this config with its changes recorded, and its warnings said, in another way."""
        return Config(self._items, record, self._locked, allow_val_change=self._allowed, warn=warn or self._warn)

    def update(self, values: Any, allow_val_change: bool | None = None) -> None:  # noqa: FBT001 - the signature of W&B
        """Set several keys.

        Args:
            values: A mapping, or anything else that ``init(config=...)`` takes.
            allow_val_change: Whether keys that have another value may change; None: as ``init()`` was told.

        Raises:
            ConfigError: A key has another value, and may not change; or a file that is named cannot be read.
            DataError: A key is no string or too long.
            TypeError: The values are no mapping, nor anything that stands for one.
        """
        if values is None:
            raise TypeError("config.update() takes a dict, or what else init(config=...) does, not None")
        changed = self._unlocked(to_config(values))
        if not (self._allowed if allow_val_change is None else allow_val_change):
            self._refuse_changes(changed)
        self._set(changed)

    def setdefaults(self, values: Any) -> None:
        """Set the keys that have no value yet; values are given as to :meth:`update`."""
        self._set({key: value for key, value in to_config(values).items() if key not in self._items})

    def as_dict(self) -> dict[str, Any]:
        """Return a copy as a plain dict."""
        return {key: value for key, value in self._items.items() if not key.startswith("_")}

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""
        return self._items.get(key, default)

    def keys(self) -> KeysView[str]:
        """Return the keys."""
        return self.as_dict().keys()

    def values(self) -> ValuesView[Any]:
        """Return the values."""
        return self.as_dict().values()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values."""
        return self.as_dict().items()

    def _unlocked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values without those that would change what a sweep chose."""
        for key in self._locked & values.keys():
            if self._items[key] != values[key]:
                self._warn(
                    f"config[{key!r}] was chosen by the sweep and stays {self._items[key]!r}; the change is ignored"
                )
        return {key: value for key, value in values.items() if key not in self._locked}

    def _refuse_changes(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key in self._items and self._items[key] != value:
                raise ConfigError(
                    f"config[{key!r}] is {self._items[key]!r} and would become {value!r}; "
                    "if that is meant, call config.update(..., allow_val_change=True)"
                )

    def _set(self, values: Mapping[str, Any]) -> None:
        entries = [config_entry(key, value) for key, value in values.items() if not self._has(key, value)]
        self._record(entries)  # Even where nothing changes: a finished run refuses.
        self._items.update(values)

    def _has(self, key: str, value: Any) -> bool:
        """Say whether a value is recorded already; of a dict or list, which may have changed within, nobody knows."""
        if key not in self._items or isinstance(value, dict | list):
            return False
        known = self._items[key]
        return type(known) is type(value) and bool(known == value)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getattr__(self, key: str) -> Any:
        try:
            return self._items[key]
        except KeyError:
            raise AttributeError(f"config has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Config({self._items!r})"


class StaticConfig(Mapping[str, Any]):
    """A config that can be read only; its keys are attributes too.

    Args:
        config: What it shows, as it is when it is looked at.
    """

    _config: Config

    def __init__(self, config: Config) -> None:
        object.__setattr__(self, "_config", config)

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __getattr__(self, key: str) -> Any:
        try:
            return self._config[key]  # and not its methods, which change it
        except KeyError:
            raise AttributeError(f"config has no {key!r}") from None

    def __setitem__(self, key: str, value: Any) -> None:
        raise AttributeError("run.config_static is read only; change run.config")

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._config.keys())

    def __len__(self) -> int:
        return len(self._config.keys())

    def __repr__(self) -> str:
        return f"StaticConfig({self._config.as_dict()!r})"


def validate_pinned_keys(keys: Any) -> list[str]:
    """Return a list of config keys.

    Raises:
        UsageError: It is none.
    """
    found = [] if isinstance(keys, str) else list(keys)
    if isinstance(keys, str) or not all(isinstance(key, str) for key in found):
        raise UsageError(f"pin_config_keys() takes a list of config keys, not {keys!r:.60}")
    return found


def _unrecorded(_: object) -> None:
    """Stand for a recorder, or for a terminal, where there is none yet."""
