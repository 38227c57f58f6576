"""``log()`` in a growing run: late calls compared with early ones, for many steps, many keys, and wide rows."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

from tests.benchmarks.bench_log import offline_run
from tests.benchmarks.blocks import rows
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.sampling import latencies, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.scale import Scale

Row = dict[str, float]
#: Calls between deletions of old segments, which would fill the disk; the shipper deletes delivered segments, too.
_AT_ONCE = 1000
BAR = at_most(1.2)


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the ratio of the median call late in a run to the median call early in it."""
    part = scale.of(10_000, 1_000)
    yield _figure(scale, "a million steps", rows(0, 1000, 10), scale.of(1_000_000, 20_000), part)
    wide = [{f"group{group}/metric{key}": (group + key) / 7 for key in range(10)} for group in range(1000)]
    yield _figure(scale, "10 000 keys, ten per call", wide, scale.of(200_000, 20_000), part)
    single: list[Row] = [{f"metric{key}": key / 7} for key in range(10_000)]
    yield _figure(scale, "10 000 keys, one per call", single, scale.of(200_000, 20_000), part)
    yield _figure(scale, "1 000 keys per call", rows(0, 10, 1000), scale.of(40_000, 4_000), part)


def _figure(scale: Scale, what: str, content: Sequence[Row], calls: int, part: int) -> Figure:
    samples: list[int] = []
    source = cycle(content)
    with offline_run(scale.folder) as run:
        for _ in range(calls // _AT_ONCE):
            samples += latencies(run.log, islice(source, _AT_ONCE))
            _clear(scale.folder)
    first, last = percentile(samples[:part], 0.5), percentile(samples[-part:], 0.5)
    note = f"p50 of the last {part} of {calls} calls ({last / 1000:.1f} µs) / first {part} ({first / 1000:.1f} µs)"
    return Figure(f"log() late / early: {what}", last / first, bar=BAR, note=note)


def _clear(folder: Path) -> None:
    """Delete all segments except the latest, which the writer has open."""
    for writer in folder.glob("offline-*/*/run-*/spool/*"):
        for segment in sorted(writer.glob("*.seg"))[:-1]:
            segment.unlink()
