"""Histograms of tensors in W&B's format: 64 bins, or one bin if all values are equal.

A tensor on the CPU is counted at once. Tensors on an accelerator are counted there without waiting, and their counts
are copied together: waiting for each of them would interrupt the training once per parameter.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BINS = 64
#: How many values are processed at once: limits the memory needed, and counts stay exact in float32.
_CHUNK = 1 << 22
#: Divisor of values with a range too large for torch to count.
_SCALE = 4 * BINS

Histogram = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeviceCounts:
    """Bounds and counts of a tensor, on the device of the tensor."""

    #: The bits of both bounds as float32, then the counts; int64.
    numbers: Any
    #: How many zeros a sparse tensor does not store.
    zeros: int


def count_values(torch: Any, tensor: Any) -> Histogram | DeviceCounts | None:
    """Return the histogram of a tensor, or None if it has no finite value; on an accelerator, the pending counts.

    Only the local part of a distributed tensor is counted, and the magnitudes of complex numbers.
    """
    if tensor.device.type == "cpu":
        return _on_cpu(torch, *_flat(tensor.detach()))
    return count_on_device(torch, tensor)


def count_on_device(torch: Any, tensor: Any) -> DeviceCounts:
    """Count the values of a tensor on its device, without waiting for the result."""
    values, zeros = _flat(tensor.detach())
    return DeviceCounts(_on_device(torch, values, zeros), zeros)


def collect(torch: Any, found: Mapping[str, Histogram | DeviceCounts | None]) -> dict[str, Histogram]:
    """Return histograms by name. Pending counts are copied in one transfer per accelerator."""
    histograms = {name: item for name, item in found.items() if isinstance(item, dict)}
    by_device: dict[Any, dict[str, DeviceCounts]] = {}
    for name, item in found.items():
        if isinstance(item, DeviceCounts):
            by_device.setdefault(item.numbers.device, {})[name] = item
    for counted in by_device.values():
        rows = torch.stack([item.numbers for item in counted.values()]).tolist()
        for (name, item), (low, high, *counts) in zip(counted.items(), rows, strict=True):
            if (histogram := _histogram(_from_bits(low), _from_bits(high), counts, item.zeros)) is not None:
                histograms[name] = histogram
    return histograms


def _flat(tensor: Any) -> tuple[Any, int]:
    """Return the values of a tensor in one dimension as float32 or float64, and how many zeros are omitted."""
    if hasattr(tensor, "to_local"):
        tensor = tensor.to_local()
    zeros = 0
    if tensor.is_sparse:
        tensor = tensor.coalesce()
        zeros = tensor.numel() - tensor.values().numel()
        tensor = tensor.values()
    elif str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    if tensor.is_complex():
        tensor = tensor.abs()
    exact = str(tensor.dtype) in {"torch.float32", "torch.float64"}
    return (tensor if exact else tensor.float()).reshape(-1), zeros


def _on_cpu(torch: Any, values: Any, zeros: int) -> Histogram | None:
    if values.numel():
        low, high = (bound.item() for bound in torch.aminmax(values))
        if not (math.isfinite(low) and math.isfinite(high)):
            return _on_cpu(torch, values[torch.isfinite(values)], zeros)
    elif zeros:
        low = high = 0.0
    else:
        return None
    if zeros:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return _histogram(low, high, [values.numel()], zeros)
    if not math.isfinite(torch.tensor([high, -low], dtype=values.dtype).mul(BINS).sum()):
        values, low, high = values / _SCALE, low / _SCALE, high / _SCALE
        histogram = _histogram(low, high, _counts(torch, values, low, high), zeros)
        return histogram and {**histogram, "bins": [edge * _SCALE for edge in histogram["bins"]]}
    return _histogram(low, high, _counts(torch, values, low, high), zeros)


def _counts(torch: Any, values: Any, low: float, high: float) -> list[int]:
    total = sum(torch.histc(part, BINS, low, high).long() for part in _chunks(values))
    return [int(count) for count in total.tolist()]


def _on_device(torch: Any, values: Any, zeros: int) -> Any:
    """Count without synchronizing with the device: no branch and no size depends on a value."""
    values = values.float()
    low = high = values.new_zeros(()) if zeros else None
    for part in _chunks(values):
        finite = torch.isfinite(part)
        least, most = part.where(finite, math.inf).amin(), part.where(finite, -math.inf).amax()
        low = least if low is None else torch.minimum(low, least)
        high = most if high is None else torch.maximum(high, most)
    counts = torch.zeros(BINS, dtype=torch.int64, device=values.device)
    if low is None or high is None:
        low = high = values.new_zeros(())
    for part in _chunks(values):
        # Halves, since the difference of two floats may overflow.
        position = (part / 2 - low / 2) / (high / 2 - low / 2) * BINS
        index = position.nan_to_num(0.0).clamp(0, BINS - 1).long()
        counts.scatter_add_(0, index, torch.isfinite(part).long())
    bounds = torch.stack([low, high]).view(torch.int32).long()
    return torch.cat([bounds, counts])


def _chunks(values: Any) -> Iterator[Any]:
    for start in range(0, values.numel(), _CHUNK):
        yield values[start : start + _CHUNK]


def _from_bits(number: int) -> float:
    return float(struct.unpack("<f", struct.pack("<i", number))[0])


def _histogram(low: float, high: float, counts: list[int], zeros: int) -> Histogram | None:
    if not sum(counts) + zeros:
        return None
    if low == high:
        return {"_type": "histogram", "values": [sum(counts) + zeros], "bins": [low, high]}
    if zeros:
        counts[min(int(-low / (high - low) * BINS), BINS - 1)] += zeros
    step = high / BINS - low / BINS
    bins = [*(low + step * edge for edge in range(BINS)), high]
    return {"_type": "histogram", "values": counts, "bins": bins}
