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
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.processes import cpu_seconds, peak_memory, tree
from tests.faults.recount_files import recount_files
from tests.polling import eventually
from tests.running_stack import Stack, running_stack
from tests.trainers import kill, new_id, run_folders, run_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.scale import Scale

SMALL = 10_000
#: Threads of the raw uploads: as many as of the shipper.
THREADS = 8
_BATCH = 1000
_PART = 16 << 20
#: The runs whose files are stored already.
_AGAIN = ("again", "once more", "and again")
#: How often the memory of a child is read.
_MEMORY_S = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock; CPU seconds of the client, the API, the object store and Postgres; memory of the client."""

    wall_s: float
    cpu_s: float
    memory: float = 0.0

    def above(self, base: Cost) -> Cost:
        """Return the cost without that of a base."""
        return Cost(self.wall_s - base.wall_s, self.cpu_s - base.cpu_s, self.memory)


def _served(stack: Stack) -> float:
    """Return the CPU seconds of the servers so far."""
    return sum(cpu_seconds(pid) for name in ("api", "s3", "postgres") for pid in tree(stack.pid(name)))


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
    base = _base(stack, folder, "files")
    for name in ("first", *_AGAIN):
        _record(stack, folder / name, count, "small", only="files")
    os.sync()  # so that nothing waits for what was written before
    before = _raw(stack, [_content(f"raw {number}", SMALL) for number in range(count)])
    synced = _sync(stack, folder / "first").above(base)
    after = _raw(stack, [_content(f"more {number}", SMALL) for number in range(count)])
    stored = _stored(stack, folder, base)
    raw = Cost((before.wall_s + after.wall_s) / 2, (before.cpu_s + after.cpu_s) / 2)
    what = f"{count} files of 10 kB"
    rates = f"{count / synced.wall_s:.0f} files/s; raw {count / before.wall_s:.0f} and {count / after.wall_s:.0f}"
    yield Figure(f"{what}: rate of raw parallel PUTs", raw.wall_s / synced.wall_s, bar=at_least(0.7), note=rates)
    yield _of_cpu(raw, synced)
    yield Figure(f"{what}: memory", synced.memory, "MiB", bar=at_most(300))
    yield from _again(f"{what} that are stored: cost", stored, synced)
    yield _verdict(stack, [folder / name / "journal" for name in ("first", *_AGAIN)], what)
    yield from _artifacts(stack, folder / "artifacts", count)


def _artifacts(stack: Stack, folder: Path, count: int) -> Iterator[Figure]:
    """Yield the cost of an artifact whose files are stored already."""
    base = _base(stack, folder, "artifact")
    for name in ("first", *_AGAIN):
        _record(stack, folder / name, count, "of an artifact", only="artifact")
    os.sync()
    synced = _sync(stack, folder / "first").above(base)
    stored = _stored(stack, folder, base)
    yield Figure(f"an artifact of {count} files of 10 kB", synced.wall_s, "s")
    yield from _again("… that is stored: cost", stored, synced)


def _base(stack: Stack, folder: Path, only: str) -> Cost:
    """Return the cost of a run with one file: of the start of the program, and of the run itself."""
    costs = []
    for name in ("empty", "nothing", "little"):
        _record(stack, folder / name, 1, name, only=only)
        costs.append(_sync(stack, folder / name))
    return Cost(min(cost.wall_s for cost in costs), min(cost.cpu_s for cost in costs))


def _stored(stack: Stack, folder: Path, base: Cost) -> Cost:
    """Return the cost of what is stored: the medians of some runs, since it is not much more than that of starting."""
    os.sync()
    costs = [_sync(stack, folder / name).above(base) for name in _AGAIN]
    return Cost(median(cost.wall_s for cost in costs), median(cost.cpu_s for cost in costs))


def _again(what: str, stored: Cost, first: Cost) -> Iterator[Figure]:
    note = f"{stored.wall_s:.2f} s"
    yield Figure(what, stored.wall_s / first.wall_s, bar=at_most(1 / 20), note=note)
    yield Figure("… by CPU time", stored.cpu_s / first.cpu_s, note=f"{stored.cpu_s:.2f} s")


def _of_cpu(raw: Cost, synced: Cost) -> Figure:
    return Figure("… by CPU time", raw.cpu_s / synced.cpu_s, note=f"{synced.cpu_s:.1f} s; raw {raw.cpu_s:.1f} s")


def _large(stack: Stack, folder: Path, mebibytes: int) -> Iterator[Figure]:
    plain, killed = folder / "plain", folder / "killed"
    base = _base(stack, folder, "files")
    _record(stack, plain, 0, "plain", large=mebibytes)
    os.sync()
    synced = _sync(stack, plain).above(base)
    os.sync()
    contents = [_content(f"large {number}", _PART) for number in range(mebibytes * 1024 * 1024 // _PART)]
    raw = _raw_parts(stack, contents)
    os.sync()
    objects = _raw(stack, contents)
    del contents
    note = f"{mebibytes / synced.wall_s:.0f} MiB/s; raw {mebibytes / raw.wall_s:.0f}"
    what = f"a file of {mebibytes} MiB: rate of raw parallel PUTs of its parts"
    yield Figure(what, raw.wall_s / synced.wall_s, bar=at_least(0.7), note=note)
    yield _of_cpu(raw, synced)
    note = f"raw {mebibytes / objects.wall_s:.0f} MiB/s"
    yield Figure("… of raw parallel PUTs of as many objects", objects.wall_s / synced.wall_s, note=note)
    # Not recorded before: the raw uploads are sent from memory, so the file must not be read from the disk either.
    _record(stack, killed, 0, "killed", large=mebibytes)
    victims = [_kill_sync, _kill_store, _kill_sync]
    most = synced.memory
    for victim in victims:
        most = max(most, _sync(stack, killed, victim, synced.wall_s / 3).memory)
    most = max(most, _sync(stack, killed).memory)
    yield Figure(f"a file of {mebibytes} MiB, with kills: memory", most, "MiB", bar=at_most(300))
    yield _verdict(stack, [plain / "journal", killed / "journal"], "large files, with kills")


def _record(  # noqa: PLR0917 - one module
    stack: Stack, folder: Path, count: int, seed: str, large: int = 0, only: str = "files"
) -> None:
    """Record an offline run with small files, or a large one."""
    files, together = (count, 0) if only == "artifact" else (0, count)
    arguments = ("--id", new_id(), "--files", files, "--together", together, "--size", SMALL, "--large", large)
    status = run_to_end(
        "save_files",
        *(*arguments, "--seed", seed, "--only", only, "--mode", "offline", "--entity", stack.entity),
        *("--journal", folder / "journal"),
        environment=stack.environment,
        folder=folder,
        within=1200,
    )
    if status:
        raise RuntimeError((folder / "output.txt").read_text())


def _sync(stack: Stack, folder: Path, victim: Any = None, after_s: float = 0.0) -> Cost:
    """Deliver a run, or kill something on the way."""
    (run_folder,) = run_folders(folder)
    command = [sys.executable, "-m", "runstream.cli.main", "sync", str(run_folder)]
    began, served = time.monotonic(), _served(stack)
    with (folder / "sync.txt").open("ab") as output:
        process = subprocess.Popen(command, env=stack.environment, stdout=output, stderr=output)
    if victim is not None:
        timer = threading.Timer(after_s, victim, (stack, process))
        timer.start()
        timer.join()
    memory = _peak_until_exit(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and victim is None:
        raise RuntimeError((folder / "sync.txt").read_text())
    cpu_s = usage.ru_utime + usage.ru_stime + _served(stack) - served
    return Cost(time.monotonic() - began, cpu_s, memory)


def _peak_until_exit(pid: int) -> float:
    """Return the peak memory of a child in MiB, when it has ended.

    Not by ``ru_maxrss``, which includes the memory of this process, since the child starts in it.
    """
    most = 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        most = max(most, peak_memory(pid))
        time.sleep(_MEMORY_S)
    return most


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


def _raw(stack: Stack, contents: Sequence[bytes]) -> Cost:
    """Return the cost of plain parallel PUTs of contents as objects, whose URLs are requested before."""
    orders: list[_Order] = []
    with _api(stack) as client:
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
            answer = client.post("objects", json={"objects": items})
            found = answer.raise_for_status().json()["objects"]
            orders += [_Order(one, item["url"], item["headers"]) for one, item in zip(group, found, strict=True)]
    return _put_all(stack, orders)[0]


def _raw_parts(stack: Stack, contents: Sequence[bytes]) -> Cost:
    """Return the cost of plain parallel PUTs of contents as the parts of one object, and of joining them.

    Its name is not the hash of the contents, which nobody reads.
    """
    size, name = sum(map(len, contents)), hashlib.sha256(b"raw parts").hexdigest()
    with _api(stack) as client:
        answer = client.post("objects", json={"objects": [{"sha256": name, "size": size}]})
        (upload,) = answer.raise_for_status().json()["objects"]
        urls: dict[int, str] = {}
        for first in range(1, len(contents) + 1, _BATCH):
            numbers = list(range(first, min(first + _BATCH, len(contents) + 1)))
            request = {"upload_id": upload["upload_id"], "numbers": numbers}
            found = client.post(f"objects/{name}/parts", json=request).raise_for_status().json()["parts"]
            urls |= {part["number"]: part["url"] for part in found}
        cost, etags = _put_all(stack, [_Order(one, urls[number], {}) for number, one in enumerate(contents, 1)])
        parts = [{"number": number, "etag": etag} for number, etag in enumerate(etags, 1)]
        began, cpu_s = time.monotonic(), _served(stack)
        request = {"upload_id": upload["upload_id"], "size": size, "parts": parts}
        client.post(f"objects/{name}/complete", json=request).raise_for_status()
        return Cost(cost.wall_s + time.monotonic() - began, cost.cpu_s + _served(stack) - cpu_s)


def _api(stack: Stack) -> httpx.Client:
    headers = {"Authorization": f"Bearer {stack.token}"}
    return httpx.Client(base_url=f"{stack.url}/api/v1/entities/{stack.entity}/", headers=headers, timeout=60)


class _Order(NamedTuple):
    content: bytes
    url: str
    headers: Mapping[str, str]


def _put_all(stack: Stack, orders: Sequence[_Order]) -> tuple[Cost, list[str]]:
    """Return the cost of parallel PUTs, and the ETags of their responses."""
    local = threading.local()

    def put(order: _Order) -> str:
        address = urlsplit(order.url)
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(address.hostname or "", address.port or 80)
        local.connection.request("PUT", f"{address.path}?{address.query}", order.content, order.headers)
        response = local.connection.getresponse()
        text = response.read()
        if response.status != HTTPStatus.OK:
            raise RuntimeError(f"status {response.status}: {text!r}")
        return str(response.headers["etag"])

    began, cpu_s = time.monotonic(), time.process_time() + _served(stack)
    with ThreadPoolExecutor(THREADS) as pool:
        etags = list(pool.map(put, orders))
    return Cost(time.monotonic() - began, time.process_time() + _served(stack) - cpu_s), etags


def _verdict(stack: Stack, journals: Sequence[Path], what: str) -> Figure:
    verdict = recount_files(*journals, url=stack.url, token=stack.token, store=stack.data_dir / "s3")
    note = "; ".join(verdict.problems[:3])
    return Figure(f"{what}: wrong or lost", float(verdict.accepted - verdict.stored), "files", at_most(0), note)
