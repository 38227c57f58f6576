"""Histograms as a value to log: plain data, in the form of W&B."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runstream.media.base import WBValue

if TYPE_CHECKING:
    from runstream.media.base import MediaPlace

#: More bins than these make a row too long to be drawn.
MOST_BINS = 512


class Histogram(WBValue, Mapping[str, Any]):
    """How many values lie in each of some bins; logged like any other value.

    Args:
        sequence: Numbers, of any shape, to be sorted into bins.
        np_histogram: Instead: counts and edges, as ``numpy.histogram`` returns them.
        num_bins: Bins between the least and the greatest of ``sequence``, 512 at most; or a rule of numpy,
            such as ``auto``.

    Raises:
        ValueError: There are more than 512 bins, other than one more edge than counts, or numbers that are not finite.
        TypeError: The sequence is missing, or contains something other than numbers.
    """

    MAX_LENGTH = MOST_BINS
    _log_type: ClassVar[str] = "histogram"

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: tuple[Sequence[float], Sequence[float]] | None = None,
        num_bins: int | str = 64,
    ) -> None:
        if np_histogram is None:
            if sequence is None:
                raise TypeError("Missing argument: expected a sequence or np_histogram")
            if not isinstance(num_bins, str) and num_bins > MOST_BINS:
                raise ValueError(f"num_bins={num_bins}: a histogram has {MOST_BINS} bins at most")
            given: Any = np.histogram(sequence, bins=num_bins)
        else:
            given = np_histogram
        if len(given) != 2:  # noqa: PLR2004 - a pair
            raise ValueError("np_histogram is a pair of counts and edges, as numpy.histogram returns it")
        counts, edges = given
        self.histogram: list[float] = np.asarray(counts).tolist()
        self.bins: list[float] = np.asarray(edges).tolist()
        if len(self.histogram) > MOST_BINS:
            raise ValueError(f"the histogram has {len(self.histogram)} bins, and {MOST_BINS} at most are logged")
        if len(self.bins) != len(self.histogram) + 1:
            raise ValueError(f"{len(self.histogram)} counts have {len(self.histogram) + 1} edges, not {len(self.bins)}")

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - it has no file
        """Return the dict that is recorded for this histogram."""
        return dict(self)

    def __getitem__(self, key: str) -> Any:
        return {"_type": self._log_type, "values": self.histogram, "bins": self.bins}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("_type", "values", "bins"))

    def __len__(self) -> int:
        return 3
