"""``log()`` of ten scalars, compared with the minimal work and with encode + copy, and early and late in a run."""

from __future__ import annotations

import mmap
import struct
import time
import zlib
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import msgspec

import runstream
from tests.benchmarks.blocks import rows
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.sampling import latencies, percentile, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.scale import Scale

SIZE = 64 * 1024 * 1024


Row = dict[str, float]
FLOOR = "floor: msgpack + CRC-32 + length + copy into mapped memory"


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield ratios of medians, the 99th percentile, and the ratio of the last calls to the first."""
    content, rounds = rows(0, scale.of(2_000, 200), 10), scale.of(30, 5)
    with mapped(scale.folder / "floor") as memory, offline_run(scale.folder) as run:
        contenders = {"floor": floor(memory), "copy": encode_and_copy(memory), "log": run.log}
        for call in contenders.values():
            latencies(call, content)
        found: dict[str, list[list[int]]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, call in contenders.items():
                found[name].append(latencies(call, content))
    halves = {name: [percentile(samples, 0.5) for samples in taken] for name, taken in found.items()}
    every = [sample for samples in found["log"] for sample in samples]
    p50, p99 = percentile(every, 0.5), percentile(every, 0.99)
    yield Figure("log() p50", p50 / 1000, "µs", note="10 scalars, offline, including the timer")
    yield Figure("log() p50 / floor", ratio(halves["log"], halves["floor"]), bar=at_most(2.5), note=FLOOR)
    yield Figure("log() p50 / encode + copy", ratio(halves["log"], halves["copy"]))
    yield Figure("floor p50", median(halves["floor"]) / 1000, "µs")
    yield Figure("log() p99 / p50", p99 / p50, bar=at_most(5))
    yield from _steadiness(scale)


def _steadiness(scale: Scale) -> Iterator[Figure]:
    total, part = scale.of(200_000, 20_000), scale.of(10_000, 2_000)
    with offline_run(scale.folder) as run:
        content = rows(0, 1000, 10)
        latencies(run.log, content)
        taken = [spent for _ in range(total // 1000) for spent in latencies(run.log, content)]
    first, last = percentile(taken[:part], 0.5), percentile(taken[-part:], 0.5)
    note = f"p50 of the last {part} of {total} calls / first {part}"
    yield Figure("log() late / early in a run", last / first, bar=at_most(1.2), note=note)


def floor(memory: mmap.mmap) -> Callable[[Row], object]:
    """Return a call with the minimal work for a record that can be found and verified: length, CRC, payload."""
    encode, crc32, pack, position = msgspec.msgpack.Encoder().encode, zlib.crc32, struct.Struct("<II").pack, 0

    def call(row: Row) -> None:
        nonlocal position
        payload = encode(row)
        record = pack(len(payload), crc32(payload)) + payload
        end = position + len(record)
        memory[position:end] = record
        position = end if end < SIZE - 4096 else 0

    return call


def encode_and_copy(memory: mmap.mmap) -> Callable[[Row], object]:
    """Return a call with the minimal work except length and CRC."""
    encode, position = msgspec.msgpack.Encoder().encode, 0

    def call(row: Row) -> None:
        nonlocal position
        payload = encode(row)
        end = position + len(payload)
        memory[position:end] = payload
        position = end if end < SIZE - 4096 else 0

    return call


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """Map a file that is allocated and in memory."""
    with path.open("w+b") as file:
        file.write(bytes(SIZE))
        file.flush()
        memory = mmap.mmap(file.fileno(), SIZE)
        try:
            yield memory
        finally:
            memory.close()


@contextmanager
def offline_run(folder: Path) -> Iterator[runstream.Run]:
    """Start a run without a shipper; finish it at the end of the block."""
    run = runstream.init(
        project="bench",
        dir=folder / f"offline-{time.monotonic_ns()}",
        mode="offline",
        settings={"silent": True, "console": "off"},
    )
    try:
        yield run
    finally:
        run.finish()
