"""PostgreSQL, run as each user that is possible here."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import psutil
import pytest

from runstream_deploy.exceptions import DataFolderError, ServiceError
from runstream_deploy.processes.child import Child, Identity
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.postgres import Postgres, allow_traversal
from runstream_deploy.services.service import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_deploy.processes.reaper import Reaper

#: PostgreSQL refuses to run as root, and only root can change to another user.
IDENTITIES = [Identity.NAMESPACE, Identity.NOBODY] if os.geteuid() == 0 else [Identity.SAME, Identity.NAMESPACE]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Return a folder that every user can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="runstream-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_data_is_kept_across_restarts(reachable: Path, reaper: Reaper, identity: Identity) -> None:
    """A restarted server has the data of the first; no process has capabilities of root."""
    password = secrets.token_hex(8)
    postgres = Postgres(reachable / "data", port=choose_port(), password=password, identity=identity)
    for statement in ("create table t as select 7 as n", "select n from t"):
        postgres.prepare()
        child = Child(postgres.command(), reachable / "log", reaper)
        try:
            await wait_until_ready(postgres, child.exit_code, reachable / "log")
            assert effective_capabilities(child.pid) == 0
            connection = await asyncpg.connect(postgres.address())
            last = await connection.fetchval(statement)
            await connection.close()
        finally:
            child.stop()
    assert last == 7


def effective_capabilities(pid: int) -> int:
    """Return the effective capabilities of a process as a bit mask."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("CapEff")).split()[1], 16)


async def test_pid_of_a_killed_server_may_be_reused(tmp_path: Path, reaper: Reaper) -> None:
    """A pid file with the pid of an unrelated process does not prevent a start."""
    postgres = Postgres(tmp_path / "data", port=choose_port(), password="x")
    postgres.prepare()
    (tmp_path / "data" / "postmaster.pid").write_text(f"{os.getppid()}\n{tmp_path / 'data'}\n")
    postgres.prepare()
    child = Child(postgres.command(), tmp_path / "log", reaper)
    try:
        await wait_until_ready(postgres, child.exit_code, tmp_path / "log")
        postgres.prepare()
        assert (tmp_path / "data" / "postmaster.pid").read_text().startswith(f"{child.pid}\n")
    finally:
        child.stop()


def test_folder_that_nobody_cannot_reach_is_refused(tmp_path: Path) -> None:
    """If the server has to run as nobody, the error names a closed parent folder and states what to do."""
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(DataFolderError, match=f"nobody, who has no access to {tmp_path / 'closed'}:"):
        allow_traversal(tmp_path / "closed" / "data")


def test_data_of_another_major_version_is_refused(tmp_path: Path) -> None:
    """The message states both versions."""
    postgres = Postgres(tmp_path / "data", port=choose_port(), password="x")
    postgres.prepare()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DataFolderError, match="was created by PostgreSQL 17, this is 18"):
        postgres.prepare()


async def test_server_that_cannot_start_reports_why(tmp_path: Path, reaper: Reaper) -> None:
    """The error has the last lines of the server's log, and no process is left running."""
    postgres = Postgres(tmp_path / "data", port=choose_port(), password="x", settings={"shared_buffers": "much"})
    postgres.prepare()
    child = Child(postgres.command(), tmp_path / "log", reaper)
    with pytest.raises(ServiceError, match=r'exited with code 1; .*\n.*invalid value for parameter "shared_buffers"'):
        await wait_until_ready(postgres, child.exit_code, tmp_path / "log")
    assert not psutil.pid_exists(child.pid)
