"""The config of a run, as the training process sees it."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any

from runstream.exceptions import ConfigError, UsageError
from runstream.spool.plain_values import is_note
from runstream.tracking.config.conversion import to_config
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder
from runstream.tracking.values.entries import config_entry
from runstream.tracking.values.foreign import elements_of, shown

if TYPE_CHECKING:
    from runstream.tracking.values.entries import ConfigEntry


class Config:
    """Hyperparameters: a mapping whose keys are attributes too. Changes are recorded at once.

    Changing a key that has a value requires ``update(..., allow_val_change=True)``, or this argument of ``init()``. A
    dict is replaced as a whole. A change within a value, such as ``config["net"]["depth"] = 3``, is not recorded;
    assign the value again. Keys that begin with an underscore are recorded, but not listed. Values that cannot be
    recorded are recorded as text.

    Args:
        items: The first values, in a form that :meth:`update` accepts; they are not recorded here.
        record: Called with the entries of each change; None to record nothing.
        locked: Keys that cannot be changed: those of a sweep.
        allow_val_change: Whether values may be changed without an error.
        warn: Prints a warning.
        encoder: Encodes the values.
    """

    _items: dict[str, Any]
    _record: Callable[[Sequence[ConfigEntry]], None]
    _locked: frozenset[str]
    _allowed: bool
    _warn: Callable[[str], None]
    _encoder: ValueEncoder

    def __init__(
        self,
        items: Any = None,
        record: Callable[[Sequence[ConfigEntry]], None] | None = None,
        locked: Iterable[str] = (),
        *,
        allow_val_change: bool = False,
        warn: Callable[[str], None] | None = None,
        encoder: ValueEncoder = DEFAULT_ENCODER,
    ) -> None:
        object.__setattr__(self, "_items", to_config(items, encoder))
        object.__setattr__(self, "_encoder", encoder)
        object.__setattr__(self, "_record", record or _unrecorded)
        object.__setattr__(self, "_locked", frozenset(locked))
        object.__setattr__(self, "_allowed", allow_val_change)
        object.__setattr__(self, "_warn", warn or _unrecorded)

    def with_recorder(
        self, record: Callable[[Sequence[ConfigEntry]], None], warn: Callable[[str], None], encoder: ValueEncoder
    ) -> Config:
        """Return this config with another recorder, terminal and encoder."""
        allowed = self._allowed
        return Config(self._items, record, self._locked, allow_val_change=allowed, warn=warn, encoder=encoder)

    def update(self, values: Any, allow_val_change: bool | None = None) -> None:  # noqa: FBT001 - the signature of W&B
        """Set several keys.

        Args:
            values: A mapping, or another form of ``init(config=...)``.
            allow_val_change: Whether to change keys that have another value; None for the argument of ``init()``.

        Raises:
            ConfigError: A key has another value and cannot be changed, or a config file cannot be read.
            DataError: A key is not a string or is too long.
            TypeError: The values are not in a form that ``init(config=...)`` accepts.
        """
        if values is None:
            raise TypeError(
                "Invalid config None: config.update() expects a dict, or what else init(config=...) accepts"
            )
        changed = self._unlocked(to_config(values, self._encoder))
        if not (self._allowed if allow_val_change is None else allow_val_change):
            self._refuse_changes(changed)
        self._set(changed)

    def setdefaults(self, values: Any) -> None:
        """Set the keys that have no value; accepts what :meth:`update` does."""
        self._set({key: value for key, value in to_config(values, self._encoder).items() if key not in self._items})

    def persist(self) -> None:
        """Do nothing: changes are recorded at once."""

    def as_dict(self) -> dict[str, Any]:
        """Return a copy as a plain dict."""
        return {key: value for key, value in self._items.items() if not key.startswith("_")}

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if there is none."""
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
        """Return the values without changes of those of the sweep, which print a warning."""
        for key in self._locked & values.keys():
            if self._items[key] != values[key]:
                self._warn(f"config[{key!r}] is {self._items[key]!r} by the sweep; the change is ignored")
        return {key: value for key, value in values.items() if key not in self._locked}

    def _refuse_changes(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key in self._items and self._items[key] != value and not is_note(self._items[key]):
                raise ConfigError(
                    f"Cannot change config[{key!r}] from {self._items[key]!r} to {value!r}: "
                    "to allow it, call config.update(..., allow_val_change=True)"
                )

    def _set(self, values: Mapping[str, Any]) -> None:
        entries = [config_entry(key, value) for key, value in values.items() if not self._has(key, value)]
        self._record(entries)  # Even without a change: a finished run raises.
        self._items.update(values)

    def _has(self, key: str, value: Any) -> bool:
        """Return whether a value is recorded already; False for a dict or list, which may have changed within."""
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
            raise AttributeError(f"The config has no key {key!r}") from None

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
    """A read-only view of a config; its keys are attributes too."""

    _config: Config

    def __init__(self, config: Config) -> None:
        object.__setattr__(self, "_config", config)

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __getattr__(self, key: str) -> Any:
        try:
            return self._config[key]  # not its methods, which change it
        except KeyError:
            raise AttributeError(f"The config has no key {key!r}") from None

    def __setitem__(self, key: str, value: Any) -> None:
        raise AttributeError("run.config_static is read-only: change run.config")

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._config.keys())

    def __len__(self) -> int:
        return len(self._config.keys())

    def __repr__(self) -> str:
        return f"StaticConfig({self._config.as_dict()!r})"


def validate_pinned_keys(keys: Any) -> list[str]:
    """Return the keys as a list; raises UsageError if they are not a list of strings."""
    is_text = issubclass(type(keys), str)
    found = elements_of(keys)
    if is_text or not all(issubclass(type(key), str) for key in found):
        raise UsageError(f"Invalid keys {shown(keys)}: pin_config_keys() expects a list of config keys")
    return [str.__str__(key) for key in found]


def _unrecorded(_: object) -> None:
    """Do nothing, where there is no recorder or terminal yet."""
