"""Arrays of any library as they are kept for an encoder: their memory is copied as it is, and converted there."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

from runstream.files.active_pool import ACTIVE_POOL
from runstream.media.content import BytesContent
from runstream.media.packages import module_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runstream.media.content import Content

#: Bytes of an array with gaps that are copied at once: they stay in the cache of the processor.
_PIECE = 128 * 1024


def as_array(data: Any) -> Any:
    """Return an array or tensor of any library as a numpy array; raises ValueError."""
    import numpy as np  # noqa: PLC0415 - runstream is imported without it

    if type(data) is np.ndarray:
        return data
    try:
        if module_of(data) == "torch":
            data = data.detach().cpu()
            data = (data.float() if "bfloat16" in str(data.dtype) else data).numpy()
        elif callable(getattr(data, "get", None)) and module_of(data) == "cupy":
            data = data.get()
        elif callable(getattr(data, "numpy", None)):
            data = data.numpy()
        return np.asarray(data)
    except Exception as error:
        raise ValueError(f"Cannot read {type(data).__name__} as an array: {error}") from error


def keep_array(array: Any, what: str, fixed: int = 0) -> tuple[Content, dict[str, Any]]:
    """Copy the numbers of an array; return them, and the arguments with which :func:`kept_array` reads them.

    The axes are stored in the order in which they lie in memory, but the first ``fixed`` as they are: a view that is
    transposed or flipped is copied as fast as the array that it shows. Raises ValueError for other values than numbers.
    """
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Invalid {what}: expected numbers, not an array of type {array.dtype}")
    arguments: dict[str, Any] = {"dtype": _type_name(array.dtype), "shape": [*array.shape]}
    if array.flags.c_contiguous:
        pieces: Iterable[Any] = [array]
    else:
        axes, strides = range(array.ndim), array.strides
        if flipped := [axis for axis in axes if strides[axis] < 0 and axis >= fixed]:
            array = array[tuple(slice(None, None, -1 if axis in flipped else 1) for axis in axes)]
            arguments["flipped"] = flipped
        order = [*axes[:fixed], *sorted(axes[fixed:], key=lambda axis: -abs(strides[axis]))]
        if order != [*axes]:
            array = array.transpose(order)
            arguments["order"] = order
        pieces = _pieces(array)
    content = ACTIVE_POOL.keep(array.nbytes, pieces) or BytesContent(array.tobytes())
    return content, arguments


@cache
def _type_name(dtype: Any) -> str:
    return str(dtype.str)


def keep_bytes(data: bytes) -> Content:
    """Keep bytes: in a file of the active run if they are many."""
    return ACTIVE_POOL.keep(len(data), [memoryview(data)]) or BytesContent(data)


def kept_array(arguments: Mapping[str, Any], numbers: Any, skipped: int = 0) -> Any:
    """Return the array of numbers that were kept with arguments, without its first ``skipped`` axes."""
    shape = arguments["shape"]
    order = [axis - skipped for axis in arguments.get("order", range(len(shape)))][skipped:]
    stored = numbers.reshape([shape[skipped + axis] for axis in order])
    found = stored.transpose([order.index(axis) for axis in range(len(order))])
    flipped = {axis - skipped for axis in arguments.get("flipped", ())}
    found = found[tuple(slice(None, None, -1 if axis in flipped else 1) for axis in range(found.ndim))]
    return found if found.dtype.isnative else found.astype(found.dtype.newbyteorder("="))


def _pieces(array: Any) -> Iterator[memoryview]:
    """Yield the bytes of an array with gaps in C order."""
    import numpy as np  # noqa: PLC0415 - runstream is imported without it

    while array.shape[0] == 1:
        array = array[0]
    rows = max(_PIECE // (math.prod(array.shape[1:]) * array.itemsize), 1)
    piece = np.empty((rows, *array.shape[1:]), array.dtype)
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        np.copyto(piece[: len(part)], part)
        yield piece[: len(part)].reshape(-1).view(np.uint8).data
