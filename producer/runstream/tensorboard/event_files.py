"""Reads event files as they grow. The only module that imports ``tensorboard``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from runstream.tensorboard.rows import Event

_MICROSECONDS = 1_000_000
#: Prefix of tags that are not metrics, but data of a TensorBoard page.
_HPARAMS = "_hparams_/"
#: Columns of a histogram: left edge, right edge, count.
_COLUMNS = 3


class EventFile:
    """An event file; raises ImportError without the package ``tensorboard``, OSError if it cannot be read.

    ``note`` is called with plugin and value of what is not part of a row. ``images`` returns the value of a row for
    tag, step, and a list of width, height and encoded images; without it, images are noted.
    """

    def __init__(
        self,
        path: str,
        note: Callable[[str, Any], None] = lambda *_: None,
        images: Callable[[str, int, list[bytes]], Any] | None = None,
    ) -> None:
        # Keeps tensorboard from importing TensorFlow, which takes seconds and much memory.
        sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader  # noqa: PLC0415

        self._loader = EventFileLoader(path)
        self._plugins: dict[str, str] = {}
        self._note, self._images = note, images
        #: How many events were read.
        self.events = 0

    def read(self) -> Iterator[Event]:
        """Yield the events that were written since the last call; an incomplete one when it is complete."""
        for event in self._loader.Load():
            self.events += 1
            if not event.HasField("summary"):
                continue
            if values := dict(self._values(event.summary, event.step)):
                time = int(event.wall_time * _MICROSECONDS)
                yield Event(step=event.step, time=time, values=values, number=self.events)

    def _values(self, summary: Any, step: int) -> Iterator[tuple[str, Any]]:
        from tensorboard.util.tensor_util import make_ndarray  # noqa: PLC0415

        for value in summary.value:
            if name := value.metadata.plugin_data.plugin_name:
                self._plugins[value.tag] = name
            plugin = self._plugins.get(value.tag, "")
            if value.tag.startswith(_HPARAMS) or not value.HasField("tensor"):
                self._note(plugin, value)
            elif plugin == "text":
                yield value.tag.removesuffix("/text_summary"), as_text(make_ndarray(value.tensor))
            elif plugin == "histograms":
                yield value.tag, as_histogram(make_ndarray(value.tensor).tolist())
            elif plugin == "scalars":
                yield value.tag, make_ndarray(value.tensor).item()
            elif plugin == "images" and self._images is not None:
                yield value.tag, self._images(value.tag, step, list(value.tensor.string_val))
            else:
                self._note(plugin, value)


def as_text(array: Any) -> str:
    """Return the text in an array of byte strings, one line for each."""
    return "\n".join(item.decode("utf-8", "replace") for item in array.reshape(-1).tolist())


def as_histogram(buckets: list[list[float]]) -> dict[str, Any]:
    """Return a histogram in W&B's format. Buckets with an infinite edge are omitted."""
    kept = [bucket for bucket in buckets if len(bucket) == _COLUMNS and all(map(math.isfinite, bucket))]
    edges = [bucket[0] for bucket in kept] + [bucket[1] for bucket in kept[-1:]]
    return {"_type": "histogram", "values": [bucket[2] for bucket in kept], "bins": edges}
