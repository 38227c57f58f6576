"""The config of a run, as the process that logs sees it."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any

from runstream.exceptions import DataError, UsageError
from runstream.tracking.values import plain
from runstream_schemas.events import Operation, Scope
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from runstream.tracking.recorder import ConfigEntry


class Config:
    """Hyperparameters: a mapping whose keys are attributes too. What is changed is recorded at once.

    A key that has a value keeps it: changing it needs ``update(..., allow_val_change=True)``. Values of a type that
    cannot be recorded are recorded as their text.

    Args:
        items: The values to begin with, which are recorded by whoever makes the run.
        record: Called with the entries of each change; None: nothing is recorded.
        locked: Keys that keep their value whatever is set; a sweep chose them.
    """

    _items: dict[str, Any]
    _record: Callable[[Sequence[ConfigEntry]], None]
    _locked: frozenset[str]

    def __init__(
        self,
        items: Mapping[str, Any],
        record: Callable[[Sequence[ConfigEntry]], None] | None = None,
        locked: Iterable[str] = (),
    ) -> None:
        object.__setattr__(self, "_items", dict(items))
        object.__setattr__(self, "_record", record or _unrecorded)
        object.__setattr__(self, "_locked", frozenset(locked))

    def recorded_by(self, record: Callable[[Sequence[ConfigEntry]], None]) -> Config:
        """Return this config with its changes recorded in another way."""
        return Config(self._items, record, self._locked)

    def update(self, values: Any, allow_val_change: bool | None = None) -> None:  # noqa: FBT001 - the signature of W&B
        """Set several keys.

        Args:
            values: A mapping, or an object whose attributes are meant, such as an ``argparse.Namespace``.
            allow_val_change: Whether keys that have another value may change.

        Raises:
            UsageError: A key has another value, and may not change.
            DataError: A key is no string or too long.
        """
        changed = as_config(values)
        for key, value in changed.items():
            if not allow_val_change and key in self._items and self._items[key] != value:
                raise UsageError(
                    f"config[{key!r}] is {self._items[key]!r} and would become {value!r}; "
                    "if that is meant, call config.update(..., allow_val_change=True)"
                )
        self._set(changed)

    def setdefaults(self, values: Any) -> dict[str, Any]:
        """Set the keys that have no value yet; return the whole config."""
        self._set({key: value for key, value in as_config(values).items() if key not in self._items})
        return self.as_dict()

    def as_dict(self) -> dict[str, Any]:
        """Return a copy as a plain dict."""
        return dict(self._items)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""
        return self._items.get(key, default)

    def keys(self) -> KeysView[str]:
        """Return the keys."""
        return self._items.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values."""
        return self._items.values()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values."""
        return self._items.items()

    def _set(self, values: Mapping[str, Any]) -> None:
        entries = [
            config_entry(key, value)
            for key, value in values.items()
            if key not in self._items or self._items[key] != value
        ]
        if entries:
            self._record(entries)
        self._items.update(values)

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
        return getattr(self._config, key)

    def __setitem__(self, key: str, value: Any) -> None:
        raise AttributeError("run.config_static is read only; change run.config")

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._config)

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"StaticConfig({self._config.as_dict()!r})"


def checked_keys(keys: Any) -> list[str]:
    """Return a list of config keys.

    Raises:
        UsageError: It is none.
    """
    found = [] if isinstance(keys, str) else list(keys)
    if isinstance(keys, str) or not all(isinstance(key, str) for key in found):
        raise UsageError(f"pin_config_keys() takes a list of config keys, not {keys!r:.60}")
    return found


def as_config(values: Any) -> dict[str, Any]:
    """Return config values as plain ones.

    Raises:
        DataError: There is a key that is no string or too long, or no keys at all.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        try:
            values = vars(values)
        except TypeError:
            raise DataError(f"config is a dict or a namespace, not {values!r}") from None
    for key in values:
        if not isinstance(key, str) or not 0 < len(key) <= DEFAULT_LIMITS.key_length:
            raise DataError(f"config keys are strings of 1 to {DEFAULT_LIMITS.key_length} characters, not {key!r:.60}")
    return {str(key): _plain_or_text(value) for key, value in values.items()}


def config_entry(key: str, value: Any, scope: Scope = Scope.CONFIG) -> ConfigEntry:
    """Return the entry that sets a top-level key."""
    return [scope.value, Operation.SET.value, [key], value]


def _unrecorded(entries: Sequence[ConfigEntry]) -> None:
    """Stand for a recorder where there is none yet."""


def _plain_or_text(value: Any) -> Any:
    try:
        return plain(value)
    except DataError:
        if isinstance(value, Mapping):
            return {str(key): _plain_or_text(inner) for key, inner in value.items()}
        return plain(str(value))
