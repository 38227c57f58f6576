"""Handwritten digits: 1797 pictures of 8 x 8 pixels that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

_VALIDATION_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures as rows of 64 numbers from -0.5 to 0.5, and the digit of each."""

    pixels: NDArray[np.float32]
    digits: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.digits)

    def shard(self, index: int, count: int) -> Pictures:
        """Return every ``count``-th picture, beginning with number ``index``."""
        return Pictures(self.pixels[index::count], self.digits[index::count])

    def batches(self, size: int, random: np.random.Generator) -> Iterator[Pictures]:
        """Yield all pictures once, shuffled, ``size`` at a time; the rest that fills no batch is left out."""
        order = random.permutation(len(self))
        for start in range(0, len(self) - size + 1, size):
            chosen = order[start : start + size]
            yield Pictures(self.pixels[chosen], self.digits[chosen])


def load() -> tuple[Pictures, Pictures]:
    """Return pictures to train on and pictures to validate with, the same split each time."""
    found = load_digits()
    pixels = (found.data / 16 - 0.5).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(pixels))
    pictures = Pictures(pixels[order], found.target[order].astype(np.int64))
    kept = int(len(pictures) * _VALIDATION_SHARE)
    validation = Pictures(pictures.pixels[:kept], pictures.digits[:kept])
    return Pictures(pictures.pixels[kept:], pictures.digits[kept:]), validation
