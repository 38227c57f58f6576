"""Training processes for the tests, and reading their runs from the HTTP API."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(__file__).resolve().parent / "programs"


def new_id() -> str:
    """Return a run id that no other test uses."""
    return f"r{uuid4().hex[:10]}"


def start(
    program: str, *arguments: object, environment: Mapping[str, str], folder: Path, own_group: bool = True
) -> subprocess.Popen[str]:
    """Start ``tests/programs/PROGRAM.py`` in a folder; its output is written to ``output.txt`` there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.txt").open("a") as output:
        return subprocess.Popen(
            [sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=own_group,
        )


def run_to_end(
    program: str, *arguments: object, environment: Mapping[str, str], folder: Path, within: float = 120
) -> int:
    """Run a program and return its exit status."""
    process = start(program, *arguments, environment=environment, folder=folder)
    try:
        return process.wait(within)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def run_folders(folder: Path) -> list[Path]:
    """Return the run folders of a program that ran in a folder."""
    return sorted((folder / "runstream").glob("run-*"))


def command(
    *arguments: object,
    environment: Mapping[str, str],
    folder: Path | None = None,
    within: float = 120,
    status: int = 0,
) -> str:
    """Run ``runstream ARGUMENTS`` and return its output; raise AssertionError if the exit status is another one."""
    done = subprocess.run(
        [sys.executable, "-m", "runstream.cli.main", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Server:
    """The HTTP API as a plain HTTP client uses it, without code of Runstream."""

    url: str
    token: str
    entity: str

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON of a GET; raise AssertionError if the status is not 200."""
        query = {name: str(value) for name, value in parameters.items() if value is not None}
        answer = httpx.get(
            f"{self.url}/api/v1{path}", params=query, headers={"Authorization": f"Bearer {self.token}"}, timeout=120
        )
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        return answer.json()

    def run(self, run_id: str, part: str = "", *, project: str = "tests", **parameters: object) -> Any:
        """Return a run, or a part of it ("/state", "/scan", …)."""
        return self.get(f"/runs/{self.entity}/{project}/{run_id}{part}", **parameters)

    def rows(self, run_id: str, *, project: str = "tests", stream: str | None = None) -> list[dict[str, Any]]:
        """Return all rows of a run."""
        return list(self._pages(run_id, project, stream))

    def _pages(self, run_id: str, project: str, stream: str | None) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self.run(run_id, "/scan", project=project, page_size=5000, cursor=cursor, stream=stream)
            yield from page["rows"]
            cursor = page["next"]
            if cursor is None:
                return


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row that the user logged."""
    return {key: value for key, value in row.items() if not key.startswith("_")}


def kill(pids: Sequence[int]) -> None:
    """Send SIGKILL to processes, which may have exited already."""
    for pid in pids:
        with _ignore_exited():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def _ignore_exited() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return
