"""Arrays that are kept for an encoder: the numbers are those of the call, however they lie in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runstream.media.arrays import keep_array, kept_array
from runstream.media.encoded import encoded_bytes
from runstream.media.video import Video
from tests.unit.media.recorded import recorded_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_Array = np.ndarray[Any, Any]
#: Views of an array of the shape (300, 200, 5), by name.
VIEWS: dict[str, Callable[[_Array], _Array]] = {
    "whole": lambda array: array,
    "channels first": lambda array: array.transpose(2, 0, 1),
    "Fortran": np.asfortranarray,
    "flipped colors": lambda array: array[:, :, ::-1],
    "upside down, transposed": lambda array: array[::-1].transpose(1, 2, 0),
    "cropped": lambda array: array[3:-2, 5:-1, :3],
    "every second": lambda array: array[::2, ::-3],
    "cropped, with a leading one": lambda array: array[None, 3:-2, 5:-1],
    "broadcast": lambda array: np.broadcast_to(array[:, :1], (300, 200, 5)),
    "one row": lambda array: array[7, :, 1],
}


def numbers(dtype: str) -> _Array:
    """Return an array of numbers of a type."""
    return (np.random.default_rng(0).random((300, 200, 5)) * 250).astype(dtype)


def read(array: _Array, **arguments: Any) -> _Array:
    """Return an array as an encoder reads what is kept of it; the array is changed in between."""
    expected = array.copy()
    content, stored = keep_array(array, "test", **arguments)
    if array.flags.writeable:
        array[...] = 0
    data = np.frombuffer(b"".join(content.chunks()), np.dtype(stored["dtype"]))
    assert data.nbytes == expected.nbytes
    found: _Array = kept_array(stored, data)
    assert found.dtype.isnative
    assert (found == expected).all()
    return found


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["uint8", ">f4"])
@pytest.mark.parametrize("pooled", [False, True])
def test_numbers_are_kept_as_they_are(tmp_path: Path, view: str, dtype: str, *, pooled: bool) -> None:
    """Any view of an array is read back with its shape and its numbers, from memory or from a file of the run."""
    if pooled:
        with recorded_run(tmp_path):
            read(VIEWS[view](numbers(dtype)))
    else:
        read(VIEWS[view](numbers(dtype)))


def test_transposed_and_flipped_views_are_stored_as_they_lie_in_memory() -> None:
    """The bytes of a view of a whole array are those of the array: nothing is reordered in the training process."""
    array = numbers("uint8")
    for view in (array.transpose(2, 0, 1), array[:, :, ::-1], array[::-1].transpose(1, 2, 0)):
        content, _ = keep_array(view, "test")
        assert b"".join(content.chunks()) == array.tobytes()


def test_frames_of_a_video_may_have_their_channels_last_in_memory() -> None:
    """The frames of a view with the channels in front are the same as those of a copy of it."""
    frames = (np.random.default_rng(0).random((4, 6, 8, 3)) * 250).astype(np.uint8).transpose(0, 3, 1, 2)

    shown, copied = (encoded_bytes(Video(data, format="gif")._file) for data in (frames, frames.copy()))  # noqa: SLF001
    assert shown == copied


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.zeros(2, complex)], ids=["U", "O", "c"])
def test_other_values_than_numbers_are_refused(array: _Array) -> None:
    """Texts, objects and complex numbers are a ValueError that names the type."""
    with pytest.raises(ValueError, match="expected numbers, not an array of type"):
        keep_array(array, "image")
