"""Servers that all test processes of a session share.

The first process that needs a server starts a host for it (``python -m tests.shared_servers``). Every process that uses
the server holds a shared lock on a file, which the kernel releases however the process ends. When nobody holds it, the
host stops the server. If the host is killed, its reaper stops the server.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import secrets
import subprocess
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from runstream.server.folders import cache_folder
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.processes.reaper import Reaper
from runstream_deploy.services.class_archive import with_class_archive
from runstream_deploy.services.jars import fetch_jars
from runstream_deploy.services.java import find_java
from runstream_deploy.services.kafka import Kafka
from runstream_deploy.services.object_store import ObjectStore
from runstream_deploy.services.postgres import Postgres
from runstream_deploy.services.service import Service, wait_until_ready
from tests.leftovers import MARK
from tests.polling import eventually
from tests.run_aside import run_aside
from tests.running_stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The environment variable with the folder of the session, which all its test processes know.
FOLDER = "TEST_SHARED_SERVERS"
_STACK = "stack"


@contextmanager
def serving(service: Service, folder: Path, reaper: Reaper) -> Iterator[None]:
    """Run a service until the block ends."""
    service.prepare()
    log = folder / f"{service.name}.log"
    child = Child(service.command(), log, reaper)
    try:
        run_aside(wait_until_ready(service, child.exit_code, log))
        yield
    finally:
        child.stop()


@contextmanager
def shared_server(name: str) -> Iterator[Any]:
    """Use a server until the block ends: ``kafka``, ``postgres``, ``s3`` or ``stack``; start it if nobody uses it."""
    folder = Path(os.environ[FOLDER])
    found = folder / f"{name}.pickle"
    with _users(folder, name) as users:
        with (folder / f"{name}.starting").open("wb") as starting:
            fcntl.lockf(starting, fcntl.LOCK_EX)
            # If a host is stopping the server, this waits until it has exited.
            fcntl.lockf(users, fcntl.LOCK_SH)
            if not found.exists():
                _start_host(folder, name)
                eventually(found.exists, within=300)
        server = pickle.loads(found.read_bytes())
        if isinstance(server, Exception):
            raise server
        yield server


def await_end(folder: Path) -> None:
    """Wait until the hosts of all servers have exited."""
    for file in folder.glob("*.users"):
        with _users(folder, file.stem) as users:
            eventually(lambda users=users: _is_unused(users), within=300)  # type: ignore[misc]


def _users(folder: Path, name: str) -> IO[bytes]:
    return (folder / f"{name}.users").open("a+b")


def _is_unused(users: IO[bytes]) -> bool:
    try:
        fcntl.lockf(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_host(folder: Path, name: str) -> None:
    # Without the mark, the process that starts the host does not wait for the server, which others may use.
    environment = {key: value for key, value in os.environ.items() if key != MARK}
    with (folder / f"{name}.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "tests.shared_servers", str(folder), name],
            cwd=Path(__file__).parent.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )


def main(folder: Path, name: str) -> None:
    """Run a server in the background until no process uses it."""
    if os.fork():
        return
    found = folder / f"{name}.pickle"
    reaper = Reaper()
    with _users(folder, name) as users:
        try:
            with _server(name, folder / name, reaper) as server:
                _publish(found, server)
                fcntl.lockf(users, fcntl.LOCK_EX)
                found.unlink()
        except Exception:
            _publish(found, RuntimeError(traceback.format_exc()))
            raise
        finally:
            reaper.close()


def _publish(file: Path, value: object) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(pickle.dumps(value))
    new.rename(file)


@contextmanager
def _server(name: str, folder: Path, reaper: Reaper) -> Iterator[object]:
    folder.mkdir(exist_ok=True)
    if name == _STACK:
        with running_stack(folder / "data", reaper) as stack:
            yield stack
    else:
        service = {"kafka": _kafka, "postgres": _postgres, "s3": _object_store}[name](folder)
        with serving(service, folder, reaper):
            yield service


def _kafka(folder: Path) -> Kafka:
    distribution = with_class_archive(cache_folder(), find_java(), fetch_jars(cache_folder()))
    port = choose_port()
    return Kafka(folder / "kafka", port=port, controller_port=choose_port({port}), distribution=distribution)


def _postgres(folder: Path) -> Postgres:
    """Return a server without fsync, since no test crashes the machine."""
    settings = {"fsync": "off", "max_connections": "400"}
    return Postgres(folder / "data", port=choose_port(), password=secrets.token_urlsafe(16), settings=settings)


def _object_store(folder: Path) -> ObjectStore:
    key = secrets.token_urlsafe(16)
    return ObjectStore(folder / "objects", port=choose_port(), access_key="test", secret_key=key)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
