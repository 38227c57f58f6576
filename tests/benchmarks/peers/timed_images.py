"""Shared by the programs of this folder that log images, which run without this repository in their path."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def pixels(layout: str = "") -> Any:
    """Return an array of a megapixel: of bytes, of floats with the channels in front, or a view with BGR as RGB."""
    array = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    if layout == "float32":
        return (array / np.float32(255)).transpose(2, 0, 1).copy()
    return array[:, :, ::-1] if layout == "flipped" else array


def time_images(
    log: Callable[[Any], object], calls: int, after: Callable[[], object] = lambda: None, layout: str = ""
) -> None:
    """Log an array of a megapixel in turns with copies of it; print the nanoseconds of copies and calls."""
    array: Any = pixels(layout)
    spent: dict[str, list[int]] = {"copy": [], "log": []}
    for number in range(calls + 3):
        for name, action in (("copy", array.copy), ("log", lambda: log(array))):
            begin = time.perf_counter_ns()
            action()
            if number >= 3:
                spent[name].append(time.perf_counter_ns() - begin)
        after()
    sys.stdout.write(f"\n{json.dumps(spent)}\n")
    sys.stdout.flush()
