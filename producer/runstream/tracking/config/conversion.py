"""The forms of a config that ``init()`` and ``config.update()`` accept, and config files."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from runstream.exceptions import ConfigError, DataError, UsageError
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder, validated_key, without_nan
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from runstream.settings import Settings

#: Read from the current folder, if it exists.
DEFAULTS_FILE = "config-defaults.yaml"
#: Internal keys of W&B in its config files.
_OWN_KEYS = frozenset({"wandb_version", "_wandb"})


def to_config(values: Any, encoder: ValueEncoder = DEFAULT_ENCODER) -> dict[str, Any]:
    """Return a config of any form as a dict of plain values.

    That is a dict or other mapping; the path of a YAML or JSON file; a dataclass or pydantic object; absl's flags; an
    object with attributes, such as an ``argparse.Namespace``; or None for an empty config. Raises ConfigError for an
    invalid file, DataError for an invalid key, and TypeError for values of another form.
    """
    if isinstance(values, str | os.PathLike):
        values = read_file(Path(values))
    found = {}
    for key, value in _mapping(values).items():
        name = validated_key("config", key.strip("-") if isinstance(key, str) else key, key)
        found[name] = to_config_value(value, encoder)
    return found


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
    except OSError as error:
        raise ConfigError(f"Cannot read config file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"Invalid config file {path}: not UTF-8 text ({error})") from None
    if (found := _parse(path, text)) is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"Invalid config file {path}: expected keys and values, not a {type(found).__name__}")
    return {str(key): _value(item) for key, item in found.items() if key not in _OWN_KEYS}


def to_config_value(value: Any, encoder: ValueEncoder = DEFAULT_ENCODER, depth: int = 0) -> Any:
    """Return a config value as plain data: NaN as None, and a value that cannot be recorded as its text.

    Members of an enum, functions and classes become their names, as in W&B.
    """
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, float):
        return None if value != value else float(value)  # noqa: PLR0124 - NaN is the one that differs from itself
    if depth <= DEFAULT_LIMITS.depth and (found := _with_items(value, encoder, depth + 1)) is not None:
        return found
    try:
        return without_nan(encoder.value(_text(value)))
    except DataError:
        return encoder.value(str(value))


def _with_items(value: Any, encoder: ValueEncoder, depth: int) -> dict[str, Any] | list[Any] | None:
    """Return a container as plain data; None for any other value."""
    if isinstance(value, slice):
        value = {"slice_start": value.start, "slice_step": value.step, "slice_stop": value.stop}
    if (fields := _fields(value)) is not None:
        value = fields
    if _has_keys(value):
        return {str(key): to_config_value(value[key], encoder, depth) for key in value.keys()}  # noqa: SIM118 - as in _mapping()
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, _ATOMS):
        return [to_config_value(item, encoder, depth) for item in value]
    return None


#: Sequences that are one value.
_ATOMS = (str, bytes, bytearray, memoryview)


def _mapping(values: Any) -> Mapping[Any, Any]:
    if values is None:
        return {}
    if _has_keys(values):
        return {key: values[key] for key in values.keys()}  # noqa: SIM118 - it may have no __iter__
    if isinstance(values, ModuleType):
        values = getattr(values, "FLAGS", values)  # the module absl.flags
    if (fields := _fields(values)) is not None:
        return fields
    if callable(flags := getattr(values, "flag_values_dict", None)):
        return cast("Mapping[Any, Any]", flags())
    if isinstance(values, ModuleType) or not hasattr(values, "__dict__"):
        raise TypeError(
            f"Invalid config {values!r:.60} of type {type(values).__name__}: "
            "expected a dict, a namespace, a dataclass or the path of a file"
        )
    return {key: value for key, value in vars(values).items() if not key.startswith("__")}


def _has_keys(value: Any) -> bool:
    """Return whether a value is a mapping, or like one: the config of another run or library."""
    if isinstance(value, type | Mapping):
        return isinstance(value, Mapping)
    return hasattr(value, "keys") and hasattr(value, "items") and not hasattr(value, "shape")


def _fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass or pydantic object, None for anything else."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_fields_set"):
        return cast("dict[str, Any]", value.model_dump())
    return None


def _text(value: Any) -> Any:
    """Return bytes and durations as text, functions and classes as their names, other values unchanged."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="backslashreplace")
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value) if isinstance(value, timedelta) else value


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
