"""Sounds of raw samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def encode(arguments: Mapping[str, Any], source: Path, target: Path) -> None:
    """Make a sound file of samples, one row for each moment; raises whatever soundfile raises."""
    samples = np.fromfile(source, dtype=np.dtype(arguments["dtype"])).reshape(arguments["shape"])
    soundfile.write(target, samples, arguments["rate"], format=arguments["format"])
