"""Uploads by the shipper: many small files and a large one, with processes killed; of raw PUTs of the same bytes."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.faults.recount_files import recount_files
from tests.polling import eventually
from tests.running_stack import Stack, running_stack
from tests.trainers import kill, new_id, run_folders, run_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.scale import Scale

SMALL = 10_000
#: Threads of the raw uploads: as many as of the shipper.
THREADS = 8
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Synced:
    """A run of ``runstream sync``: seconds by the clock, and its memory in MiB."""

    wall_s: float
    memory: float


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield throughput, memory, and the cost of what is stored already."""
    reaper = Reaper()
    try:
        with running_stack(scale.folder / "stack", reaper, {}) as stack:
            yield from _small(stack, scale.folder / "small", int(scale.of(10_000, 500)))
            yield from _large(stack, scale.folder / "large", int(scale.of(5 * 1024, 300)))
    finally:
        reaper.close()


def _small(stack: Stack, folder: Path, count: int) -> Iterator[Figure]:
    empty, first, again = (folder / name for name in ("empty", "first", "again"))
    _record(stack, empty, 1, "empty")
    _record(stack, folder / "nothing", 1, "nothing")
    _record(stack, first, count, "small")
    _record(stack, again, count, "small")
    base = min(_sync(stack, folder / name).wall_s for name in ("empty", "nothing"))
    before = _raw(stack, [_content(f"raw {number}", SMALL) for number in range(count)])
    synced = _sync(stack, first)
    after = _raw(stack, [_content(f"more {number}", SMALL) for number in range(count)])
    stored = _sync(stack, again)
    spent, raw = synced.wall_s - base, (before + after) / 2
    what = f"{count} files of 10 kB"
    rates = f"{count / spent:.0f} files/s; raw {count / before:.0f} and {count / after:.0f}"
    yield Figure(f"{what}: rate of raw parallel PUTs", raw / spent, bar=at_least(0.7), note=rates)
    yield Figure(f"{what}: memory", synced.memory, "MiB", bar=at_most(300))
    yield Figure(f"{what} that are stored: cost", (stored.wall_s - base) / spent, bar=at_most(1 / 20))
    yield Figure("… by the clock", stored.wall_s - base, "s")
    yield _verdict(stack, [first / "journal", again / "journal"], what)


def _large(stack: Stack, folder: Path, mebibytes: int) -> Iterator[Figure]:
    plain, killed = folder / "plain", folder / "killed"
    _record(stack, plain, 0, "plain", large=mebibytes)
    _record(stack, killed, 0, "killed", large=mebibytes)
    base = _sync(stack, folder.parent / "small" / "again").wall_s
    synced = _sync(stack, plain)
    raw = _raw(stack, [_content(f"large {number}", 16 << 20) for number in range(mebibytes // 16)])
    spent = synced.wall_s - base
    note = f"{mebibytes / spent:.0f} MiB/s; raw {mebibytes / raw:.0f}"
    yield Figure(f"a file of {mebibytes} MiB: rate of raw parallel PUTs", raw / spent, bar=at_least(0.7), note=note)
    victims = [_kill_sync, _kill_store, _kill_sync]
    most = synced.memory
    for victim in victims:
        most = max(most, _sync(stack, killed, victim, spent / 3).memory)
    most = max(most, _sync(stack, killed).memory)
    yield Figure(f"a file of {mebibytes} MiB, with kills: memory", most, "MiB", bar=at_most(300))
    yield _verdict(stack, [plain / "journal", killed / "journal"], "large files, with kills")


def _record(stack: Stack, folder: Path, count: int, seed: str, large: int = 0) -> None:
    """Record an offline run with small files, or a large one."""
    arguments = ("--id", new_id(), "--files", count, "--size", SMALL, "--large", large, "--seed", seed)
    status = run_to_end(
        "save_files",
        *(*arguments, "--mode", "offline", "--entity", stack.entity, "--journal", folder / "journal"),
        environment=stack.environment,
        folder=folder,
        within=1200,
    )
    if status:
        raise RuntimeError((folder / "output.txt").read_text())


def _sync(stack: Stack, folder: Path, victim: Any = None, after_s: float = 0.0) -> Synced:
    """Deliver a run, or kill something on the way."""
    (run_folder,) = run_folders(folder)
    command = [sys.executable, "-m", "runstream.cli.main", "sync", str(run_folder)]
    began = time.monotonic()
    with (folder / "sync.txt").open("ab") as output:
        process = subprocess.Popen(command, env=stack.environment, stdout=output, stderr=output)
    if victim is not None:
        timer = threading.Timer(after_s, victim, (stack, process))
        timer.start()
        timer.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and victim is None:
        raise RuntimeError((folder / "sync.txt").read_text())
    return Synced(time.monotonic() - began, usage.ru_maxrss / 1024)


def _kill_sync(_: Stack, process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        kill([process.pid])


def _kill_store(stack: Stack, _: subprocess.Popen[bytes]) -> None:
    before = stack.pid("s3")
    kill([before])
    eventually(lambda: stack.state().services["s3"].pid not in {None, before})


def _content(seed: str, size: int) -> bytes:
    unit = hashlib.sha256(seed.encode()).digest()
    return (unit * (size // 32 + 1))[:size]


def _raw(stack: Stack, contents: Sequence[bytes]) -> float:
    """Return the seconds that plain parallel PUTs of contents take, whose URLs are requested before."""
    orders: list[tuple[bytes, dict[str, Any]]] = []
    with httpx.Client(headers={"Authorization": f"Bearer {stack.token}"}, timeout=60) as client:
        for start in range(0, len(contents), _BATCH):
            group = contents[start : start + _BATCH]
            items = [
                {
                    "sha256": hashlib.sha256(one).hexdigest(),
                    "size": len(one),
                    "md5": base64.b64encode(hashlib.md5(one).digest()).decode(),
                }
                for one in group
            ]
            answer = client.post(f"{stack.url}/api/v1/entities/{stack.entity}/objects", json={"objects": items})
            orders += zip(group, answer.raise_for_status().json()["objects"], strict=True)
    local = threading.local()

    def put(order: tuple[bytes, dict[str, Any]]) -> None:
        content, answer = order
        address = urlsplit(answer["url"])
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(address.hostname or "", address.port or 80)
        local.connection.request("PUT", f"{address.path}?{address.query}", content, answer["headers"])
        response = local.connection.getresponse()
        text = response.read()
        if response.status != HTTPStatus.OK:
            raise RuntimeError(f"status {response.status}: {text!r}")

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, orders))
    return time.monotonic() - began


def _verdict(stack: Stack, journals: Sequence[Path], what: str) -> Figure:
    verdict = recount_files(*journals, url=stack.url, token=stack.token, store=stack.data_dir / "s3")
    note = "; ".join(verdict.problems[:3])
    return Figure(f"{what}: wrong or lost", float(verdict.accepted - verdict.stored), "files", at_most(0), note)
