"""Samples of the machine and of the training processes: CPU, memory, disk, network, GPU."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from runstream.shipper.sources.process_memory import ProcessMemory

log = logging.getLogger(__name__)

_MIB = 1024 * 1024


class SystemSampler:
    """Takes samples, with the usage of the disk of a folder; rates refer to the time since the previous sample."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._processes: dict[int, psutil.Process] = {}
        self.gpus = Gpus()
        self._memory = ProcessMemory()
        self._before: tuple[float, dict[str, float]] | None = None
        psutil.cpu_percent()

    def sample(self, pids: Iterable[int], now: float) -> dict[str, Any]:
        """Return a sample as a row, of processes and their children; ``now`` is of a monotonic clock."""
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._path))
        row: dict[str, Any] = {
            "cpu": {"percent": psutil.cpu_percent(), "count": psutil.cpu_count() or 0},
            "memory": {
                "percent": memory.percent,
                "used_mb": memory.used / _MIB,
                "available_mb": memory.available / _MIB,
            },
            "disk": {"percent": disk.percent, "used_mb": disk.used / _MIB},
            "process": self._sample_processes(pids),
        }
        for group, name, rate in self._rates(now):
            row.setdefault(group, {})[name] = rate
        if gpus := self.gpus.sample():
            row["gpu"] = gpus
        return row

    def _sample_processes(self, pids: Iterable[int]) -> dict[str, float]:
        found: dict[int, psutil.Process] = {}
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                for one in (process, *process.children(recursive=True)):
                    found[one.pid] = self._processes.get(one.pid, one)
        self._processes = found
        total = {"cpu_percent": 0.0, "memory_mb": 0.0, "threads": 0.0, "count": 0.0}
        for process in found.values():
            with contextlib.suppress(psutil.Error):
                total["cpu_percent"] += process.cpu_percent()
                total["threads"] += process.num_threads()
                total["count"] += 1
        total["memory_mb"] = self._memory.used(found.values(), time.monotonic()) / _MIB
        return total

    def _rates(self, now: float) -> list[tuple[str, str, float]]:
        counters: dict[str, float] = {}
        if (network := psutil.net_io_counters()) is not None:
            counters |= {"network.sent_mb_s": network.bytes_sent, "network.received_mb_s": network.bytes_recv}
        if (disk := psutil.disk_io_counters()) is not None:
            counters |= {"disk.read_mb_s": disk.read_bytes, "disk.written_mb_s": disk.write_bytes}
        before, self._before = self._before, (now, counters)
        if before is None or now <= before[0]:
            return []
        return [
            (*name.split(".", 1), (value - before[1][name]) / _MIB / (now - before[0]))  # type: ignore[misc]
            for name, value in counters.items()
            if name in before[1]
        ]


class Gpus:
    """The NVIDIA GPUs of the machine, if any."""

    def __init__(self) -> None:
        #: By number; a GPU that cannot be read, as one that has fallen off the bus, hides no other.
        self._handles: dict[int, Any] = {}
        count = 0
        with contextlib.suppress(Exception):  # no library, no driver or no permission: no GPU is sampled
            import pynvml  # noqa: PLC0415 (needed only if there is a GPU)

            pynvml.nvmlInit()
            self._nvml: Any = pynvml
            count = pynvml.nvmlDeviceGetCount()
        for number in range(count):
            try:
                self._handles[number] = self._nvml.nvmlDeviceGetHandleByIndex(number)
            except self._nvml.NVMLError as error:
                log.warning("GPU %d cannot be read: %s", number, error)

    def describe(self) -> list[dict[str, Any]]:
        """Return the name and the memory (bytes) of each GPU, without what a GPU does not report, as W&B names them."""
        found: list[dict[str, Any]] = []
        for handle in self._handles.values():
            found.append({})
            with contextlib.suppress(self._nvml.NVMLError):
                name = self._nvml.nvmlDeviceGetName(handle)
                found[-1]["name"] = name.decode(errors="replace") if isinstance(name, bytes) else name
            with contextlib.suppress(self._nvml.NVMLError):
                found[-1]["memoryTotal"] = self._nvml.nvmlDeviceGetMemoryInfo(handle).total
        return found

    def sample(self) -> dict[str, dict[str, float]]:
        """Return the state of each GPU by its number, without what a GPU does not report."""
        samples = ((number, self._sample(handle)) for number, handle in self._handles.items())
        return {str(number): sample for number, sample in samples if sample}

    def _sample(self, handle: Any) -> dict[str, float]:
        nvml = self._nvml
        row: dict[str, float] = {}
        with contextlib.suppress(nvml.NVMLError):
            use = nvml.nvmlDeviceGetUtilizationRates(handle)
            row |= {"percent": float(use.gpu), "memory_percent": float(use.memory)}
        with contextlib.suppress(nvml.NVMLError):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            row |= {"memory_used_mb": memory.used / _MIB, "memory_total_mb": memory.total / _MIB}
        with contextlib.suppress(nvml.NVMLError):
            row["temperature_c"] = float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        with contextlib.suppress(nvml.NVMLError):
            row["power_w"] = nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        return row
