"""Sounds of raw samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile  # type: ignore[import-untyped]

from runstream.media.arrays import kept_array

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Types of samples that a WAV file can hold; others are converted to the widest one.
_TYPES = ("int16", "int32", "float32", "float64")


def encode(arguments: Mapping[str, Any], source: Path, target: Path) -> None:
    """Make a sound file of samples, one row for each moment; raises whatever soundfile raises."""
    samples = kept_array(arguments, np.fromfile(source, dtype=np.dtype(arguments["dtype"])))
    if samples.dtype.name not in _TYPES:
        samples = samples.astype("int32" if samples.dtype.kind in "iu" else "float64")
    soundfile.write(target, samples, arguments["rate"], format=arguments["format"])
