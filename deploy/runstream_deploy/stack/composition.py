"""The composition of a stack: the services that it runs, the external ones, and the settings of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from minio import Minio

from runstream.server.folders import cache_folder
from runstream_consumers.runtime.postgres.process_lock import ProcessLock
from runstream_deploy.processes.ports import LOOPBACK
from runstream_deploy.services import kafka, object_store, postgres
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.class_archive import with_class_archive
from runstream_deploy.services.consumer_process import ConsumerProcess, registered_consumers
from runstream_deploy.services.jars import Report, fetch_jars
from runstream_deploy.services.java import find_java
from runstream_deploy.services.kafka import Kafka
from runstream_deploy.services.locking_process import LockingProcess
from runstream_deploy.services.object_store import ObjectStore
from runstream_deploy.services.postgres import Postgres
from runstream_deploy.services.service import Service
from runstream_deploy.services.topics import ensure_topics
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.external import ExternalService
from runstream_deploy.stack.settings import StackSettings
from runstream_deploy.stack.stack_file import StackFile

DATABASE = "runstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A stack that is ready to start."""

    servers: Sequence[Service]
    external: Sequence[ExternalService]
    #: The consumers, the compactor, the archiver and the API, which need the servers.
    applications: Sequence[Service]
    #: The complete settings, with which the applications run.
    settings: StackSettings
    url: str

    async def provision(self) -> None:
        """Create the topics, the database and the bucket unless they exist; needs the servers."""
        settings = self.settings
        replicas = 1 if any(server.name == "kafka" for server in self.servers) else -1
        await ensure_topics(settings.kafka, settings.prefix, partitions=settings.partitions, replicas=replicas)
        await object_store.ensure_bucket(_object_store_client(settings), settings.s3_bucket)
        for server in self.servers:
            if isinstance(server, Postgres):
                await server.ensure_database(DATABASE)


def compose(folder: DataFolder, stack: StackFile, settings: StackSettings, report: Report) -> Composition:
    """Return the stack of a data folder, with a local server in place of each that the settings do not name.

    The first call downloads Kafka, which may take a minute. MissingToolError is raised if Java, Maven or the wheel of a
    server is missing.
    """
    ports, secrets = stack.ports, stack.secrets
    servers: list[Service] = []
    if not settings.kafka:
        cache, java = cache_folder(), find_java()
        distribution = with_class_archive(cache, java, fetch_jars(cache, report), report)
        path, controller = folder.path / "kafka", ports["controller"]
        servers.append(Kafka(path, port=ports["kafka"], controller_port=controller, distribution=distribution))
    if not settings.postgres:
        servers.append(Postgres(folder.path / "postgres", port=ports["postgres"], password=secrets.postgres))
    if not settings.s3_endpoint:
        access, secret = secrets.s3_access_key, secrets.s3_secret_key
        servers.append(ObjectStore(folder.path / "s3", port=ports["s3"], access_key=access, secret_key=secret))
    return assemble(stack, settings, servers)


def assemble(stack: StackFile, given: StackSettings, servers: Sequence[Service]) -> Composition:
    """Return the stack with the given settings and local servers."""
    settings = complete(given, stack)
    api = ApiProcess(stack.ports["api"], settings.variables())
    return Composition(
        servers=servers,
        external=_external(settings, local={server.name for server in servers}),
        applications=[
            *(ConsumerProcess(entry, settings.variables()) for entry in registered_consumers()),
            LockingProcess(ProcessLock.COMPACTOR, settings.variables()),
            *([LockingProcess(ProcessLock.ARCHIVER, settings.variables())] if settings.topic_archive else []),
            api,
        ],
        settings=settings,
        url=settings.public_url or api.url,
    )


def complete(settings: StackSettings, stack: StackFile) -> StackSettings:
    """Return the settings with those of the data folder, and with its servers and secrets where they name no others."""
    ports, secrets = stack.ports, stack.secrets
    update: dict[str, object] = {
        "kafka": settings.kafka or f"{LOOPBACK}:{ports['kafka']}",
        "postgres": settings.postgres or Postgres.dsn(ports["postgres"], secrets.postgres, DATABASE),
        "prefix": stack.prefix,
        "partitions": stack.partitions,
        "entity": stack.entity,
        "token": settings.token or secrets.token,
        "tick_key": settings.tick_key or secrets.tick_key,
        # A restarted consumer rejoins its group at once, and as a member of this stack.
        "instance": f"stack-{hashlib.sha256(secrets.tick_key.encode()).hexdigest()[:12]}",
    }
    if not settings.s3_endpoint:
        update |= {"s3_access_key": secrets.s3_access_key, "s3_secret_key": secrets.s3_secret_key}
        update["s3_endpoint"] = f"http://{LOOPBACK}:{ports['s3']}"
    return settings.model_copy(update=update)


def _object_store_client(settings: StackSettings) -> Minio:
    return object_store.make_client(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key)


def _external(settings: StackSettings, *, local: set[str]) -> list[ExternalService]:
    """Return the external servers."""
    location = urlsplit(settings.postgres)
    client = _object_store_client(settings)
    found = [
        ExternalService(name="kafka", address=settings.kafka, check=lambda: kafka.check_broker(settings.kafka)),
        ExternalService(
            name="postgres",
            address=f"{location.hostname}:{location.port or 5432}{location.path}",
            check=lambda: postgres.check_database(settings.postgres),
        ),
        ExternalService(name="s3", address=settings.s3_endpoint, check=lambda: object_store.check_store(client)),
    ]
    return [service for service in found if service.name not in local]
