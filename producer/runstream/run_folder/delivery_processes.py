"""The shippers and guardians of this user that run on this machine, found in the list of processes."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runstream.run_folder.folder import RunFolder, UnusableRunError
from runstream.run_folder.process_identity import process_start
from runstream.spool.control_page import Phase, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SHIPPER, _GUARDIAN = "runstream.shipper", "runstream.shipper.guardian"
_LOG_TAIL = 64 * 1024
_LOGGED = re.compile(r"^[-\d]+ [\d:,]+ \w+ (?P<what>server:|not delivering:|delivering) (?P<text>.*)$", re.MULTILINE)
_STATES = {
    Phase.CONNECTING: "connecting",
    Phase.CONNECTED: "delivering",
    Phase.BROKER_UNREACHABLE: "not connected",
    Phase.DELIVERED: "delivered",
    Phase.NEVER_CONNECTED: "not connected",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryProcess:
    """A shipper or a guardian."""

    pid: int
    kind: Literal["shipper", "guardian"]
    folder: Path
    age_s: float
    #: What the run folder shows; empty or None if it was deleted or is damaged.
    run: str = ""
    state: str = ""
    pending: int | None = None
    server: str = ""
    problem: str = ""

    def is_meant(self, name: str) -> bool:
        """Return whether a name is its pid, the id of its run, or its run folder."""
        return name in {str(self.pid), self.run, self.folder.name} or Path(name).absolute() == self.folder


def delivery_processes() -> list[DeliveryProcess]:
    """Return the shippers and guardians of this user, by run folder; a guardian precedes its shipper."""
    found = [process for pid in _own_pids() if (process := _process(pid)) is not None]
    return sorted(found, key=lambda process: (process.folder, process.kind, process.pid))


def stop_delivery(processes: Sequence[DeliveryProcess], timeout: float) -> list[DeliveryProcess]:
    """Stop processes, and keep a running training process from starting others; return those that still run."""
    for folder in {process.folder for process in processes}:
        with suppress(UnusableRunError, OSError):  # the folder may have been deleted
            RunFolder.open(folder).control[Word.DELIVERY_STOPPED] = 1
    # Guardians first: they would start other shippers.
    for process in processes:
        _signal(process)
    deadline = time.monotonic() + timeout
    while (left := [process for process in processes if _identify(process.pid) == (process.kind, process.folder)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    return left


def _signal(process: DeliveryProcess) -> None:
    if _identify(process.pid) == (process.kind, process.folder):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)


def _own_pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if entry.stat().st_uid == os.getuid():
                    yield int(entry.name)
            except OSError:
                continue  # it has ended


def _identify(pid: int) -> tuple[Literal["shipper", "guardian"], Path] | None:
    """Return what a process is, and its run folder; None if it is another one."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")[:-1]
    except OSError:
        return None
    match arguments:
        case [*_, folder, name] if name == _GUARDIAN:
            return "guardian", Path(folder)
        case [*_, "-m", name, folder] if name == _GUARDIAN:
            return "guardian", Path(folder)
        case [*_, "-m", name, folder] if name == _SHIPPER:
            return "shipper", Path(folder)
    return None


def _process(pid: int) -> DeliveryProcess | None:
    started, known = process_start(pid), _identify(pid)
    if started is None or known is None:
        return None
    kind, path = known
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    return DeliveryProcess(pid=pid, kind=kind, folder=path, age_s=max(0.0, age), **_delivery_of(path))


def _delivery_of(path: Path) -> dict[str, Any]:
    """Return what a run folder and the log of its shipper show of the delivery."""
    try:
        folder = RunFolder.open(path)
        control = folder.control
        phase = Phase(control[Word.PHASE])
        logged = {found["what"]: found["text"] for found in _LOGGED.finditer(_tail(folder.logs / "shipper.log"))}
    except (UnusableRunError, OSError, ValueError):
        return {"state": "the run folder was deleted or is damaged"}
    is_connected = phase in {Phase.CONNECTED, Phase.DELIVERED}
    return {
        "run": folder.info.run_id,
        "state": _STATES[phase],
        "pending": control[Word.PENDING],
        "server": logged.get("server:", "") or folder.info.url or "",
        "problem": "" if is_connected else logged.get("not delivering:", ""),
    }


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL))
        return file.read().decode(errors="replace")


def chosen(processes: Iterable[DeliveryProcess], names: Sequence[str]) -> list[DeliveryProcess]:
    """Return the processes of the run folders that the names mean; raises LookupError for a name without any."""
    known = list(processes)
    folders = set()
    for name in names:
        meant = {process.folder for process in known if process.is_meant(name)}
        if not meant:
            raise LookupError(name)
        folders |= meant
    return [process for process in known if process.folder in folders]
