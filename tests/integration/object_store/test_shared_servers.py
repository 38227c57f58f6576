"""Servers that the processes of a test session share."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runstream_deploy.processes.ports import is_free
from tests.polling import eventually
from tests.shared_servers import FOLDER, await_end

if TYPE_CHECKING:
    from runstream_deploy.services.object_store import ObjectStore

ROOT = Path(__file__).parents[3]
USE = """
from tests.shared_servers import shared_server
with shared_server("s3"):
    print("used", flush=True)
    input()
"""


def _user(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USE],
        cwd=ROOT,
        env={**os.environ, FOLDER: str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_server_is_stopped_when_its_last_user_is_killed(tmp_path: Path) -> None:
    """Two processes use one server, and it runs until both have been killed."""
    with _user(tmp_path) as first, _user(tmp_path) as second:
        for user in (first, second):
            assert user.stdout is not None
            assert user.stdout.readline() == "used\n"
        server: ObjectStore = pickle.loads((tmp_path / "s3.pickle").read_bytes())
        first.kill()
        first.wait(60)
        assert not is_free(server.port)
        second.kill()

    await_end(tmp_path)
    eventually(lambda: is_free(server.port), within=60)
    assert not (tmp_path / "s3.pickle").exists()
