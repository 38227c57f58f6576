"""Servers for the benchmarks: a broker, a database and the HTTP API, without consumers that would use CPU time."""

from __future__ import annotations

import secrets
import subprocess
import sys
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream.server.folders import cache_folder
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.processes.reaper import Reaper
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.class_archive import with_class_archive
from runstream_deploy.services.jars import fetch_jars
from runstream_deploy.services.java import find_java
from runstream_deploy.services.kafka import Kafka
from runstream_deploy.services.postgres import Postgres
from runstream_deploy.services.topics import ensure_topics
from tests.run_aside import run_aside
from tests.running_stack import clean_environment
from tests.shared_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTITIONS = 8
ENTITY = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Running servers."""

    broker: str
    postgres: Postgres
    url: str
    token: str
    prefix: str
    reaper: Reaper
    folder: Path

    @property
    def client(self) -> dict[str, str]:
        """Return the environment of a client."""
        return {
            **clean_environment(),
            "RUNSTREAM_URL": self.url,
            "RUNSTREAM_API_KEY": self.token,
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def new_topics(self) -> str:
        """Create the topics of a new prefix and return the prefix."""
        prefix = f"b{uuid.uuid4().hex[:12]}"
        run_aside(ensure_topics(self.broker, prefix, partitions=PARTITIONS))
        return prefix

    def server(self, prefix: str) -> dict[str, str]:
        """Return the environment of a consumer of a prefix, with a new database."""
        name = f"b{uuid.uuid4().hex[:12]}"
        run_aside(self.postgres.ensure_database(name))
        return {**clean_environment(), **_server(self.broker, self.postgres.address(name), prefix, self.token)}


@contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    """Start servers with the settings of a local stack, and stop them at the end."""
    reaper = Reaper()
    with ExitStack() as stack:
        stack.callback(reaper.close)
        (folder := folder / "rig").mkdir()
        taken: set[int] = set()
        for _ in range(4):
            taken.add(choose_port(taken))
        ports = sorted(taken)
        distribution = with_class_archive(cache_folder(), find_java(), fetch_jars(cache_folder()))
        kafka = Kafka(folder / "kafka", port=ports[0], controller_port=ports[1], distribution=distribution)
        stack.enter_context(serving(kafka, folder, reaper))
        postgres = Postgres(folder / "postgres", port=ports[2], password=secrets.token_urlsafe(16))
        stack.enter_context(serving(postgres, folder, reaper))
        run_aside(postgres.ensure_database("runstream"))
        token, prefix = secrets.token_urlsafe(24), "bench"
        run_aside(ensure_topics(kafka.address, prefix, partitions=PARTITIONS))
        api = ApiProcess(ports[3], _server(kafka.address, postgres.address("runstream"), prefix, token))
        stack.enter_context(serving(api, folder, reaper))
        yield Rig(
            broker=kafka.address,
            postgres=postgres,
            url=api.url,
            token=token,
            prefix=prefix,
            reaper=reaper,
            folder=folder,
        )


def _server(broker: str, dsn: str, prefix: str, token: str) -> dict[str, str]:
    return {
        "RUNSTREAM_KAFKA": broker,
        "RUNSTREAM_POSTGRES": dsn,
        "RUNSTREAM_PREFIX": prefix,
        "RUNSTREAM_PARTITIONS": str(PARTITIONS),
        "RUNSTREAM_ENTITY": ENTITY,
        "RUNSTREAM_TOKEN": token,
        "RUNSTREAM_TICK_KEY": "00" * 32,
        "RUNSTREAM_LOG_LEVEL": "WARNING",
    }


def python(*arguments: object, environment: dict[str, str], within: float = 120) -> str:
    """Run ``python ARGUMENTS`` and return its output; raise an error if the exit status is not 0."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
