"""From the attributes of a run of Neptune to the records of an import. Pure, but for the files that are looked up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runstream.importing.files import files_below, stored_file
from runstream.importing.names import nested
from runstream.importing.records import (
    Attributes,
    Config,
    Ending,
    Line,
    Metadata,
    NotImported,
    Record,
    Row,
    Sample,
)
from runstream_schemas.events import ExitState

if TYPE_CHECKING:
    from pathlib import Path

#: Attributes of one value, and the column that has it.
PARAMETERS = {
    "float": "float_value",
    "int": "int_value",
    "string": "string_value",
    "bool": "bool_value",
    "datetime": "datetime_value",
    "string_set": "string_set_value",
}
SERIES = ("float_series", "string_series", "histogram_series")
FILES = ("file", "file_series", "file_set", "artifact")
#: Namespace of what Neptune itself stores of a run.
_OWN, _MONITORING = "sys/", "monitoring/"
_STREAMS = {"stdout": "stdout", "stderr": "stderr"}
#: The key of the step of a row whose step in Neptune is no integer.
STEP_KEY = "neptune_step"

Attribute = Mapping[str, Any]


def parameters(attributes: Iterable[Attribute]) -> dict[str, Any]:
    """Return the attributes of one value by their paths."""
    found: dict[str, Any] = {}
    for one in attributes:
        value = one.get(PARAMETERS[one["attribute_type"]])
        if value is not None:
            found[str(one["attribute_path"])] = value.isoformat() if isinstance(value, dt.datetime) else value
    return found


def described(values: Mapping[str, Any]) -> Iterator[Record]:
    """Yield name, notes, tags, config and metadata of a run, from its attributes of one value."""
    tags = [*(values.get("sys/tags") or ()), *(values.get("sys/group_tags") or ())]
    attributes = {
        "name": values.get("sys/name"),
        "notes": values.get("sys/description"),
        "tags": tags,
        "start_time": started(values) / 1e6 or None,
    }
    yield Attributes(attributes)
    own = {path.removeprefix(_OWN): value for path, value in values.items() if path.startswith(_OWN)}
    metadata = {"host": own.get("hostname"), "username": own.get("owner"), "neptune": own}
    yield Metadata({name: value for name, value in metadata.items() if value})
    others = ((tuple(path.split("/")), one) for path, one in sorted(values.items()) if not path.startswith(_OWN))
    config = nested(others, "/")
    if config:
        yield Config({(key,): value for key, value in config.items()})


def started(values: Mapping[str, Any]) -> int:
    """Return when a run was created, in microseconds since 1970; 0 if that is not known."""
    try:
        return int(dt.datetime.fromisoformat(str(values.get("sys/creation_time"))).timestamp() * 1e6)
    except (ValueError, OverflowError):
        return 0


def ending(values: Mapping[str, Any]) -> Ending:
    """Return how a run ended."""
    if values.get("sys/failed"):
        return Ending(ExitState.FAILED, 1, "failed in Neptune")
    if (state := values.get("sys/state")) == "running":
        return Ending(ExitState.CRASHED, reason=f"its state in Neptune is {state}")
    return Ending(ExitState.FINISHED)


def rows(points: Iterable[Attribute]) -> Iterator[Record]:
    """Yield the points of series, which are in the order of step and time, as rows, system samples and lines."""
    step: Any = None
    joined: dict[str, Any] = {}
    time = 0
    for point in points:
        path, at = str(point["attribute_path"]), point.get("step")
        moment = _microseconds(point.get("timestamp"))
        value = _value(point)
        stream = _STREAMS.get(path.rpartition("/")[2])
        if value is None:
            yield NotImported("values of series", f"{path!r:.100} has an empty value")
        elif stream is not None and isinstance(value, str):
            yield from (Line(moment, stream, line) for line in value.rstrip("\n").split("\n"))
        elif path.startswith(_MONITORING) and isinstance(value, float):
            yield Sample(moment, nested([(tuple(path.split("/")[1:]), value)]))
        else:
            if joined and (at != step or path in joined):
                yield _row(step, time, joined)
                joined, time = {}, 0
            step, time = at, max(time, moment)
            joined[path] = value
    if joined:
        yield _row(step, time, joined)


def files(attributes: Iterable[Attribute], folder: Path) -> Iterator[Record]:
    """Yield the files of a run in a folder; those of a series are named after their steps."""
    for one in attributes:
        name, place = str(one["attribute_path"]), one.get("file_value")
        relative = place.get("path") if isinstance(place, dict) else None
        path = None if not relative else folder / str(relative)
        if path is None or not path.resolve().is_relative_to(folder.resolve()):
            yield NotImported("files", f"{name!r:.100} was not downloaded by neptune-exporter")
            continue
        if one["attribute_type"] == "file_series":
            name += f"/step_{one.get('step')!s:.40}{path.suffix}"
        if path.is_dir():
            yield from files_below(path, f"{name}/")
        else:
            yield stored_file(name, path)


def _row(step: Any, time: int, values: Mapping[str, Any]) -> Row:
    """Return a row; the part of a step behind the point is lost, so that the step is also a value."""
    whole = int(step) if step is not None else 0
    fraction = {} if step is None or step == whole else {STEP_KEY: float(step)}
    return Row(whole, time, {**values, **fraction})


def _value(point: Attribute) -> Any:
    if (histogram := point.get("histogram_value")) is not None:
        return {"_type": "histogram", "values": list(histogram["values"]), "bins": list(histogram["edges"])}
    value = point.get("float_value")
    return point.get("string_value") if value is None else value


def _microseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1e6) if isinstance(moment, dt.datetime) else 0
