"""The forms of a config that ``init()`` and ``config.update()`` accept, and config files."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runstream.exceptions import ConfigError, DataError, UsageError
from runstream.tracking.values import foreign
from runstream.tracking.values.assigned import AssignedConversion
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder
from runstream.tracking.values.texts import as_text

if TYPE_CHECKING:
    from runstream.media.base import WBValue
    from runstream.settings import Settings

#: Read from the current folder, if it exists.
DEFAULTS_FILE = "config-defaults.yaml"
#: Internal keys of W&B in its config files.
_OWN_KEYS = frozenset({"wandb_version", "_wandb"})


def to_config(values: Any, encoder: ValueEncoder = DEFAULT_ENCODER) -> dict[str, Any]:
    """Return a config of any form as a dict of plain values.

    That is a dict or other mapping; the path of a YAML or JSON file; a dataclass or pydantic object; absl's flags; an
    object with attributes, such as an ``argparse.Namespace``; or None for an empty config. Raises ConfigError for an
    invalid file, and TypeError for values of another form.
    """
    path = foreign.attempted(lambda: Path(values) if isinstance(values, str | os.PathLike) else None)
    if isinstance(path, Path):
        values = read_file(path)
    found = foreign.attempted(lambda: _pairs(values))
    if found is None:
        raise TypeError(
            f"Invalid config {foreign.shown(values)} of type {type(values).__name__}: "
            "expected a dict, a namespace, a dataclass or the path of a file"
        )
    pairs = [(foreign.UNREADABLE_KEYS, found)] if isinstance(found, foreign.Unreadable) else found
    return _ConfigConversion(encoder, "config").entries([(_stripped(key), value) for key, value in pairs], values)


def select_keys(
    values: Mapping[str, Any], include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the items whose keys are included, or not excluded; raises UsageError if both are given."""
    if include and exclude:
        raise UsageError("Invalid arguments: pass config_include_keys or config_exclude_keys, not both")
    include, exclude = ((keys,) if isinstance(keys, str) else keys for keys in (include, exclude))
    if include:
        return {key: value for key, value in values.items() if key in include}
    return {key: value for key, value in values.items() if key not in (exclude or ())}


def from_files(folder: Path, paths: Sequence[str] = ()) -> dict[str, Any]:
    """Return the config of ``config-defaults.yaml``, if it exists, overridden by other files; raises ConfigError."""
    defaults = folder / DEFAULTS_FILE
    files = [*([defaults] if defaults.is_file() else []), *(folder / path for path in paths)]
    found: dict[str, Any] = {}
    for path in files:
        found |= to_config(path)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigSources:
    """The config of a new run by source; a later one overrides an earlier one."""

    #: Of files and ``init()``.
    given: dict[str, Any]
    launch: dict[str, Any]
    sweep: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings, given: Mapping[str, Any], folder: Path) -> ConfigSources:
        """Return the config of ``init()``, and those of the files that the settings name; raises ConfigError."""
        return cls(
            given={**from_files(folder, settings.config_paths), **given},
            launch=to_config(settings.launch_config_path),
            sweep=to_config(settings.sweep_param_path),
        )


def read_file(path: Path) -> dict[str, Any]:
    """Return the config in a YAML or JSON file with values, or ``{value: …, desc: …}``, by key; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"Invalid config file {path}: not UTF-8 text ({error})") from None
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        raise ConfigError(f"Cannot read config file {foreign.shown(str(path))}: {foreign.problem_of(error)}") from None
    if (found := _parse(path, text)) is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"Invalid config file {path}: expected keys and values, not a {type(found).__name__}")
    return {str(key): _value(item) for key, item in found.items() if key not in _OWN_KEYS}


class _ConfigConversion(AssignedConversion):
    """Converts config values: functions and classes to their names, and what cannot be recorded to its text."""

    def media(self, value: WBValue) -> Any:
        """Raise DataError: a config contains no media."""
        raise DataError(f"Invalid config value: expected plain data, not a {type(value).__name__}; log it instead")

    def media_list(self, values: list[Any]) -> Any:
        """Raise DataError for the first of the media."""
        return [self.guarded(value) for value in values]

    def other(self, value: Any) -> Any:
        """Return an object with keys or fields as a dict, a sequence as a list, any other value as text."""
        if (items := _items(value)) is not None:
            return self.within(value, lambda: self.mapping(items))
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
            return self.within(value, lambda: self.elements(value))
        if (text := _text(value)) is not None:
            return self.text(text)
        try:
            return super().other(value)
        except DataError:
            return self.text(str(value))


def _stripped(key: Any) -> Any:
    return str.strip(key, "-") if isinstance(key, str) else key


def _pairs(values: Any) -> list[tuple[Any, Any]] | None:
    """Return the keys and values of a config; None if it has none."""
    if values is None:
        return []
    if _has_keys(values):
        return foreign.items_by_key(values)
    if isinstance(values, ModuleType):
        values = getattr(values, "FLAGS", values)  # the module absl.flags
    if (fields := _fields(values)) is not None:
        return fields
    if callable(flags := getattr(values, "flag_values_dict", None)):
        return foreign.items_of(flags())
    if isinstance(values, ModuleType) or not hasattr(values, "__dict__"):
        return None
    return [(key, value) for key, value in foreign.items_of(vars(values)) if not str(key).startswith("__")]


def _items(value: Any) -> list[tuple[Any, Any]] | None:
    """Return keys and values of an object that has fields or keys, None for anything else."""
    if isinstance(value, slice):
        return [("slice_start", value.start), ("slice_step", value.step), ("slice_stop", value.stop)]
    if (fields := _fields(value)) is not None:
        return [*fields]
    return foreign.items_by_key(value) if _has_keys(value) else None


def _has_keys(value: Any) -> bool:
    """Return whether a value is a mapping, or like one: the config of another run or library."""
    if isinstance(value, type | Mapping):
        return isinstance(value, Mapping)
    return hasattr(value, "keys") and hasattr(value, "items") and not hasattr(value, "shape")


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """Return names and values of the fields of a dataclass or pydantic object, None for anything else."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return foreign.attributes_of(value, [field.name for field in dataclasses.fields(value)])
    if hasattr(value, "model_fields_set"):
        dumped = foreign.attempted(value.model_dump)
        return (
            foreign.attributes_of(value, type(value).model_fields)
            if isinstance(dumped, foreign.Unreadable)
            else foreign.items_of(dumped)
        )
    return None


def _text(value: Any) -> str | None:
    """Return the text of bytes and durations, and the name of a function or class; None for other values."""
    if isinstance(value, bytes | bytearray):
        return as_text(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value) if isinstance(value, timedelta) else None


def _parse(path: Path, text: str) -> Any:
    if path.suffix.lower() == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise ConfigError(f"Invalid config file {path}: not JSON ({error})") from None
    import yaml  # noqa: PLC0415 - only for config files

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # the latter for an impossible date
        raise ConfigError(f"Invalid config file {path}: not YAML ({error})") from None


def _value(item: Any) -> Any:
    if isinstance(item, dict) and "value" in item and item.keys() <= {"value", "desc"}:
        return item["value"]
    return item
