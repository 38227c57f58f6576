"""PostgreSQL under every identity that this user can give it."""

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

#: PostgreSQL refuses root, and only root can become somebody else.
IDENTITIES = [Identity.NAMESPACE, Identity.NOBODY] if os.geteuid() == 0 else [Identity.SAME, Identity.NAMESPACE]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Return a folder that every user may pass through, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="runstream-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_it_serves_and_keeps_its_data(reachable: Path, reaper: Reaper, identity: Identity) -> None:
    """What one start stored the next one has; no process of it has the powers of root."""
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
    """Return the capabilities of a process as the kernel's bit mask."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("CapEff")).split()[1], 16)


async def test_the_number_of_a_killed_server_may_belong_to_another_process(tmp_path: Path, reaper: Reaper) -> None:
    """A pid file that names a living process which is no server of this folder does not stop a start."""
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


def test_a_folder_that_nobody_can_reach_is_refused(tmp_path: Path) -> None:
    """Where the server would run as nobody, a closed folder above its data is named, with the ways out."""
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(DataFolderError, match=f"nobody, whom {tmp_path / 'closed'} keeps out"):
        allow_traversal(tmp_path / "closed" / "data")


def test_data_of_another_major_release_is_refused(tmp_path: Path) -> None:
    """The message names both releases."""
    postgres = Postgres(tmp_path / "data", port=choose_port(), password="x")
    postgres.prepare()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DataFolderError, match="was made by PostgreSQL 17 and this is 18"):
        postgres.prepare()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path, reaper: Reaper) -> None:
    """The error carries the end of the server's own log, and no process is left."""
    postgres = Postgres(tmp_path / "data", port=choose_port(), password="x", settings={"shared_buffers": "much"})
    postgres.prepare()
    child = Child(postgres.command(), tmp_path / "log", reaper)
    with pytest.raises(ServiceError, match=r'exited with code 1; .*\n.*invalid value for parameter "shared_buffers"'):
        await wait_until_ready(postgres, child.exit_code, tmp_path / "log")
    assert not psutil.pid_exists(child.pid)
