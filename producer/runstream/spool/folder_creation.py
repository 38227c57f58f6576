"""The run folder: what the process that logs and the shipper share."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.spool.control_page import CONTROL_NAME, ControlPage

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1


class RunFolder:
    """Paths of one run folder, and the page that is mapped from it.

    Args:
        path: The folder, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = path / "files"
        self.logs = path / "logs"
        self.spool = path / "spool"
        self.report = path / "report.json"
        self.control = ControlPage.create(path / CONTROL_NAME)

    @classmethod
    def create(cls, root: Path, run_id: str, description: Mapping[str, Any]) -> RunFolder:
        """Make the folder of a new run, which no other process has.

        Args:
            root: Where the folder ``runstream`` lies or is made.
            run_id: Id of the run.
            description: What ``run.json`` holds beside version, id and start.

        Raises:
            OSError: It cannot be made.
        """
        started = time.time_ns() // 1000
        path = _new_folder(root.absolute() / "runstream", run_id, started)
        for name in ("files", "logs", "spool"):
            (path / name).mkdir(mode=0o700)
        folder = cls(path)
        run = {"version": VERSION, "run_id": run_id, "started": started, "host": socket.gethostname(), **description}
        write_json(path / "run.json", run)
        return folder

    def new_writer(
        self, role: str, label: str, continues: tuple[bytes, ...] = (), *, relative: bool = False
    ) -> tuple[Path, bytes]:
        """Make the folder of a new writer of this process; return it and the writer's id.

        Raises:
            OSError: It cannot be made.
        """
        writer = secrets.token_bytes(16)
        path = self.spool / writer.hex()
        draft = self.spool / f".{writer.hex()}"
        draft.mkdir(mode=0o700)
        description = {
            "version": VERSION,
            "role": role,
            "pid": os.getpid(),
            "pid_started": process_started(os.getpid()),
            "boot_id": boot_id(),
            "created": time.time_ns() // 1000,
            "host": socket.gethostname(),
            "label": label,
            "continues": [one.hex() for one in continues],
            "relative": relative,
        }
        write_json(draft / "writer.json", description)
        # Whoever sees the folder sees its description.
        draft.rename(path)
        return path, writer


def write_json(path: Path, value: Any) -> None:
    """Write a file that is never seen half written.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
    draft.replace(path)


def process_started(pid: int) -> int | None:
    """Return when a process began, in clock ticks since boot, or None; with its pid it names a process for good."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def boot_id() -> str:
    """Return what tells this boot of the machine from every other, or an empty string."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _new_folder(parent: Path, run_id: str, started: int) -> Path:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(started / 1e6))
    number = 1
    while True:
        path = parent / (f"run-{stamp}-{run_id}" + (f"-{number}" if number > 1 else ""))
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return path
