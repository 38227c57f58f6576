"""Series of metrics as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from pydantic import BaseModel

from runstream_consumers.api.documents import models
from runstream_consumers.history.reader import Origin, Series
from runstream_schemas import values
from runstream_schemas.topics import RunPath

_MICROSECONDS = 1_000_000
_ENCODE = msgspec.json.Encoder().encode


class Curves(BaseModel):
    """The series of a run, ordered by key and label."""

    id: str
    series: list[models.Series]


class CurveList(BaseModel):
    """The series of several runs, in the order in which they were requested."""

    runs: list[Curves]


SeriesByKey = Mapping[tuple[str, bytes], Series]


def render_series(found: SeriesByKey, labels: Mapping[bytes, str], origins: Mapping[bytes, Origin]) -> bytes:
    """Return the JSON text of a response with the points of each key and writer, by key and label; times in seconds.

    The label of system metrics is the label, or else the host, of the process that was measured.
    """
    items = sorted(_items(found, labels, origins), key=lambda item: item[0])
    return b'{"series": [%b]}' % b",".join(text for _, text in items)


def render_curves(found: Mapping[RunPath, SeriesByKey], labels: Mapping[bytes, str]) -> bytes:
    """Return the JSON text of a response with the series of several runs, by the id of the run."""
    items = (
        b'{"id": %b, %b' % (values.dump(run.run_id).encode("ascii"), render_series(series, labels, {})[1:])
        for run, series in found.items()
    )
    return b'{"runs": [%b]}' % b",".join(items)


def _items(
    found: SeriesByKey, labels: Mapping[bytes, str], origins: Mapping[bytes, Origin]
) -> Iterator[tuple[tuple[str, str, str], bytes]]:
    for (key, writer), series in found.items():
        origin = origins.get(writer)
        own = "" if origin is None else origin.label or origin.host
        label = own or labels.get(writer, writer.hex()[:6])
        head = {"key": key, "writer": writer.hex(), "label": label}
        if origin is not None:
            head["host"] = origin.host
        yield (key, label, writer.hex()), _rendered(head, series)


def _rendered(head: Mapping[str, Any], series: Series) -> bytes:
    points = {
        "steps": series.steps.tolist(),
        "times": (series.times / _MICROSECONDS).tolist(),
        "values": series.values.tolist(),
    }
    if not np.isfinite(series.values).all():
        return values.dump({**head, **points}).encode("ascii")
    # Numbers need no care, and names do.
    return values.dump(head)[:-1].encode("ascii") + b"," + _ENCODE(points)[1:]
