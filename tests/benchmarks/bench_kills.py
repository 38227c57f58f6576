"""Files and artifacts at full size while processes are killed: what is lost or altered, and the memory of shippers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_most
from tests.faults.contributions_with_kills import contribute_with_kills
from tests.faults.upload_with_kills import upload_with_kills
from tests.running_stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

_WITHIN_S = 3600.0


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield what is wrong, for files and for a distributed artifact."""
    reaper = Reaper()
    try:
        with running_stack(scale.folder / "stack", reaper, {}) as stack:
            yield from _files(stack, scale)
            yield _contributions(stack, scale)
    finally:
        reaper.close()


def _files(stack: Stack, scale: Scale) -> Iterator[Figure]:
    files, large = scale.of(10_000, 500), scale.of(5 * 1024, 300)
    found = upload_with_kills(
        *(stack, scale.folder / "files"),
        files=files,
        size=10_000,
        large=large,
        between=(large << 20) // 8,
        within=_WITHIN_S,
    )
    what = f"{files} files of 10 kB and one of {large} MiB, with kills of 2 shippers and the store"
    wrong = found.verdict.accepted - found.verdict.stored
    note = "; ".join([f"{found.shippers} shippers", *found.verdict.problems[:3]])
    yield Figure(f"{what}: wrong or lost", float(max(wrong, len(found.verdict.problems))), "files", at_most(0), note)
    yield Figure("… memory of a shipper, at most", found.memory, "MiB", at_most(300))


def _contributions(stack: Stack, scale: Scale) -> Figure:
    writers = scale.of(64, 9)
    found = contribute_with_kills(stack, scale.folder / "writers", writers=writers, at_once=8, within=_WITHIN_S)
    what = f"{writers} writers of one artifact, {found.killed} of them killed and started again: wrong"
    return Figure(what, float(len(found.problems)), "files", at_most(0), "; ".join(found.problems[:3]))
