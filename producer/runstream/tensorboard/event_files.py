"""Event files, read as they grow; the only module that imports ``tensorboard``."""

from __future__ import annotations

import math
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runstream.tensorboard.rows import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

_MICROSECONDS = 1_000_000
#: Tags of TensorBoard's own pages, which are no metrics.
_OWN = "_hparams_/"
#: Columns of TensorBoard's histograms: left edge, right edge, count.
_EDGES = 3


class EventFile:
    """One event file.

    Args:
        path: The file.

    Raises:
        ImportError: The package ``tensorboard`` is not installed.
        OSError: The file cannot be read.
    """

    def __init__(self, path: str) -> None:
        # Where TensorFlow is installed, tensorboard would import it, which takes seconds and much memory.
        sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader  # noqa: PLC0415

        self._loader = EventFileLoader(path)
        self._plugins: dict[str, str] = {}
        self._number = 0

    def read(self) -> Iterator[Point]:
        """Yield what was written since; an event that is not whole yet comes when it is."""
        for event in self._loader.Load():
            self._number += 1
            if not event.HasField("summary"):
                continue
            values = dict(self._values(event.summary))
            if values:
                time = int(event.wall_time * _MICROSECONDS)
                yield Point(step=event.step, time=time, values=values, number=self._number)

    def _values(self, summary: Any) -> Iterator[tuple[str, Any]]:
        from tensorboard.util.tensor_util import make_ndarray  # noqa: PLC0415

        for value in summary.value:
            if name := value.metadata.plugin_data.plugin_name:
                self._plugins[value.tag] = name
            plugin = self._plugins.get(value.tag, "")
            if value.tag.startswith(_OWN) or not value.HasField("tensor"):
                continue
            if plugin == "text":
                yield value.tag.removesuffix("/text_summary"), as_text(make_ndarray(value.tensor))
            elif plugin == "histograms":
                yield value.tag, as_histogram(make_ndarray(value.tensor).tolist())
            elif plugin == "scalars":
                yield value.tag, make_ndarray(value.tensor).item()


def as_text(array: Any) -> str:
    """Return the text of an array of byte strings."""
    return "\n".join(item.decode("utf-8", "replace") for item in array.reshape(-1).tolist())


def as_histogram(buckets: list[list[float]]) -> dict[str, Any]:
    """Return a histogram as W&B has it, of left edges, right edges and counts; edges without an end are left out."""
    kept = [bucket for bucket in buckets if len(bucket) == _EDGES and all(map(math.isfinite, bucket))]
    edges = [bucket[0] for bucket in kept] + [bucket[1] for bucket in kept[-1:]]
    return {"_type": "histogram", "values": [bucket[2] for bucket in kept], "bins": edges}
