"""The memory of processes that share some of it, and which GPUs are sampled."""

from __future__ import annotations

import mmap
import os
import sys
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil

from runstream.shipper.sources.process_memory import ProcessMemory
from runstream.shipper.sources.system_metrics import Gpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

SHARED = 64 * 1024 * 1024


@contextmanager
def family(flags: int) -> Iterator[list[psutil.Process]]:
    """Yield this process and three forked children, which have read 64 MiB that it wrote before."""
    memory = mmap.mmap(-1, SHARED, flags=flags | mmap.MAP_ANONYMOUS)
    memory[:] = b"x" * SHARED
    with ExitStack() as ends:
        processes = [psutil.Process()]
        for _ in range(3):
            ready, wait = os.pipe(), os.pipe()
            if not (child := os.fork()):
                os.close(wait[1])
                os.write(ready[1], bytes([memory[0], *memory[:: mmap.PAGESIZE]][:1]))
                os.read(wait[0], 1)
                os._exit(0)
            os.read(ready[0], 1)
            ends.callback(os.waitpid, child, 0)
            for number in (*ready, *wait):
                ends.callback(os.close, number)
            processes.append(psutil.Process(child))
        yield processes


def test_shared_memory_counts_once() -> None:
    """Forked children add little to the memory of their parent."""
    with family(mmap.MAP_PRIVATE) as processes:
        one, resident = processes[0].memory_info().rss, sum(process.memory_info().rss for process in processes)
        used = ProcessMemory().used(processes, 0.0)

    assert resident > one + 3 * SHARED
    assert SHARED < used < one + SHARED


def test_shared_memory_counts_once_without_proportional_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not provide them, memory that is mapped as shared counts once."""

    def refuse(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    with family(mmap.MAP_SHARED) as processes:
        resident = sum(process.memory_info().rss for process in processes)
        used = ProcessMemory().used(processes, 0.0)

    assert SHARED < used <= resident - 3 * SHARED


def test_a_slow_measurement_is_made_less_often() -> None:
    """After one of two seconds, the answer stays the same for 200 seconds."""
    times = iter([0.0, 2.0, 5.0, 5.0])
    memory = ProcessMemory(lambda: next(times))

    before = memory.used([psutil.Process()], 0.0)
    assert before > 0
    assert memory.used([], 199.0) == before
    assert memory.used([], 200.0) == 0


def test_one_unreadable_gpu_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are sampled under their own numbers, and described as far as they can be."""

    class NVMLError(Exception):
        pass

    nvml: Any = ModuleType("pynvml")

    def refused(*_: object) -> None:
        raise NVMLError

    def handle(number: int) -> int:
        if number == 1:
            raise NVMLError
        return number

    functions: dict[str, Callable[..., Any]] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 3,
        "nvmlDeviceGetHandleByIndex": handle,
        "nvmlDeviceGetUtilizationRates": refused,
        "nvmlDeviceGetMemoryInfo": refused,
        "nvmlDeviceGetTemperature": refused,
        "nvmlDeviceGetName": lambda number: b"NVIDIA A100-SXM4-80GB" if number else refused(),
        "nvmlDeviceGetPowerUsage": lambda number: 1000 * number,
    }
    vars(nvml).update(functions, NVMLError=NVMLError, NVML_TEMPERATURE_GPU=0)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert Gpus().sample() == {"0": {"power_w": 0}, "2": {"power_w": 2}}
    assert Gpus().describe() == [{}, {"name": "NVIDIA A100-SXM4-80GB"}]
    memory = SimpleNamespace(total=85_899_345_920, free=0, used=0)
    vars(nvml).update(nvmlDeviceGetMemoryInfo=lambda _: memory, nvmlDeviceGetName=lambda _: "NVIDIA L4")
    assert Gpus().describe() == [{"name": "NVIDIA L4", "memoryTotal": 85_899_345_920}] * 2
