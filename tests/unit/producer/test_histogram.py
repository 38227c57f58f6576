"""Histograms as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import runstream
from runstream.files.run_files import RunFiles
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_histogram_is_logged_as_plain_data() -> None:
    """A row has the counts and edges of numbers of any shape."""
    logged = DEFAULT_ENCODER.row({"h": runstream.Histogram(np.arange(12).reshape(3, 4), num_bins=3)})

    assert logged == {"h": {"_type": "histogram", "values": [4, 4, 4], "bins": pytest.approx([0, 11 / 3, 22 / 3, 11])}}


def test_the_number_of_bins_may_follow_from_the_numbers() -> None:
    """A rule of numpy chooses it."""
    assert runstream.Histogram([1, 2], num_bins="auto").bins == np.histogram([1, 2], bins="auto")[1].tolist()


def test_a_histogram_needs_numbers() -> None:
    """Without them it is a TypeError."""
    with pytest.raises(TypeError, match="Missing argument"):
        runstream.Histogram()


def test_a_histogram_of_numpy_is_accepted() -> None:
    """Counts and edges are kept unchanged."""
    made = runstream.Histogram(np_histogram=([1, 2, 3], [0, 1, 2, 3]))

    assert (made.histogram, made.bins) == ([1, 2, 3], [0, 1, 2, 3])


@pytest.mark.parametrize(
    "given",
    [
        {"sequence": [1, 2], "num_bins": 513},
        {"np_histogram": (list(range(600)), list(range(601)))},
        {"np_histogram": ([1, 2], [0, 1])},
        {"np_histogram": ([1, 2],)},
        {"sequence": [1.0, float("nan")]},
    ],
)
def test_an_invalid_histogram_is_refused(given: dict[str, Any]) -> None:
    """Too many bins, counts and edges that do not match, and NaN are errors."""
    with pytest.raises(ValueError, match=r"\w"):
        runstream.Histogram(**given)


def test_a_handler_encodes_values_of_its_type(tmp_path: Path) -> None:
    """At any depth, the handler of a type encodes its values, with the files and the warnings of the run."""

    class Picture:
        """A value with a file."""

    def encode(_: Any, encoder: ValueEncoder) -> Any:
        assert encoder.files is not None
        encoder.files.add("1.png", encoder.files.staging.write(b"pixels"))
        encoder.warn("stored", "")
        return {"_type": "picture", "path": "1.png"}

    warnings: list[str] = []
    records: list[Any] = []
    encoder = ValueEncoder(
        handlers={Picture: encode},
        warn=lambda text, _: warnings.append(text),
        files=RunFiles(tmp_path, records.append),
    )

    assert encoder.row({"a": [Picture()]}) == {"a": [{"_type": "picture", "path": "1.png"}]}
    assert warnings == ["stored"]
    assert [(record.path, record.size) for record in records] == [("1.png", 6)]
    assert (tmp_path / records[0].staged).read_bytes() == b"pixels"
