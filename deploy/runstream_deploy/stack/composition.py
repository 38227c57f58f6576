"""The composition of a stack: the services that it runs, the external ones, and the settings of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from minio import Minio

from runstream.server.folders import cache_folder
from runstream_deploy.services import kafka, object_store, postgres
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.class_archive import with_class_archive
from runstream_deploy.services.consumer_process import ConsumerProcess, registered_consumers
from runstream_deploy.services.jars import Report, fetch_jars
from runstream_deploy.services.java import find_java
from runstream_deploy.services.kafka import Kafka
from runstream_deploy.services.object_store import ObjectStore
from runstream_deploy.services.postgres import Postgres
from runstream_deploy.services.service import Service
from runstream_deploy.services.topics import ensure_topics
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.external import ExternalService
from runstream_deploy.stack.stack_file import StackFile

DATABASE = "runstream"
BUCKET = "runstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Addresses and credentials of the three servers, local or external."""

    kafka: str
    postgres: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A stack that is ready to start."""

    servers: Sequence[Service]
    external: Sequence[ExternalService]
    #: The consumers and the API, which need the servers.
    applications: Sequence[Service]
    addresses: Addresses
    #: The settings of the applications (``RUNSTREAM_*``).
    environment: Mapping[str, str]
    url: str

    async def provision(self, stack: StackFile) -> None:
        """Create the topics, the database and the bucket unless they exist; needs the servers."""
        replicas = 1 if any(server.name == "kafka" for server in self.servers) else -1
        await ensure_topics(self.addresses.kafka, stack.prefix, partitions=stack.partitions, replicas=replicas)
        await object_store.ensure_bucket(object_store_client(self.addresses), self.addresses.s3_bucket)
        for server in self.servers:
            if isinstance(server, Postgres):
                await server.ensure_database(DATABASE)


def compose(folder: DataFolder, stack: StackFile, environment: Mapping[str, str], report: Report) -> Composition:
    """Return the stack of a data folder; the first call downloads Kafka, which may take a minute.

    Args:
        folder: The data folder.
        stack: Its ports and secrets.
        environment: Settings; ``RUNSTREAM_KAFKA``, ``RUNSTREAM_POSTGRES`` and ``RUNSTREAM_S3_ENDPOINT`` name external
            services.
        report: Called with each slow activity.

    Raises:
        MissingToolError: Java, Maven or the wheel of a server is missing.
    """
    servers: list[Service] = []
    if not environment.get("RUNSTREAM_KAFKA"):
        servers.append(_kafka(folder, stack, report))
    if not environment.get("RUNSTREAM_POSTGRES"):
        servers.append(_postgres(folder, stack))
    if not environment.get("RUNSTREAM_S3_ENDPOINT"):
        servers.append(_object_store(folder, stack))
    return assemble(stack, environment, servers)


def assemble(stack: StackFile, environment: Mapping[str, str], servers: Sequence[Service]) -> Composition:
    """Return the stack with the given local servers."""
    addresses = find_addresses(stack, environment)
    settings = service_environment(stack, environment, addresses)
    api = ApiProcess(stack.ports["api"], settings)
    return Composition(
        servers=servers,
        external=_external(addresses, local={server.name for server in servers}),
        applications=[*(ConsumerProcess(entry, settings) for entry in registered_consumers()), api],
        addresses=addresses,
        environment=settings,
        url=environment.get("RUNSTREAM_PUBLIC_URL") or api.url,
    )


def find_addresses(stack: StackFile, environment: Mapping[str, str]) -> Addresses:
    """Return the addresses of the servers: those in the settings, else the ports of the data folder."""
    secrets, ports = stack.secrets, stack.ports
    local = Postgres.dsn(ports["postgres"], secrets.postgres, DATABASE)
    endpoint = environment.get("RUNSTREAM_S3_ENDPOINT")
    return Addresses(
        kafka=environment.get("RUNSTREAM_KAFKA") or f"127.0.0.1:{ports['kafka']}",
        postgres=environment.get("RUNSTREAM_POSTGRES") or local,
        s3_endpoint=endpoint or f"http://127.0.0.1:{ports['s3']}",
        s3_access_key=environment.get("RUNSTREAM_S3_ACCESS_KEY", "") if endpoint else secrets.s3_access_key,
        s3_secret_key=environment.get("RUNSTREAM_S3_SECRET_KEY", "") if endpoint else secrets.s3_secret_key,
        s3_bucket=environment.get("RUNSTREAM_S3_BUCKET") or BUCKET,
    )


def service_environment(stack: StackFile, environment: Mapping[str, str], addresses: Addresses) -> dict[str, str]:
    """Return the settings that the consumers and the API get in addition to the environment."""
    return {
        "RUNSTREAM_KAFKA": addresses.kafka,
        "RUNSTREAM_POSTGRES": addresses.postgres,
        "RUNSTREAM_S3_ENDPOINT": addresses.s3_endpoint,
        "RUNSTREAM_S3_ACCESS_KEY": addresses.s3_access_key,
        "RUNSTREAM_S3_SECRET_KEY": addresses.s3_secret_key,
        "RUNSTREAM_S3_BUCKET": addresses.s3_bucket,
        "RUNSTREAM_PREFIX": stack.prefix,
        "RUNSTREAM_PARTITIONS": str(stack.partitions),
        "RUNSTREAM_ENTITY": stack.entity,
        "RUNSTREAM_TOKEN": environment.get("RUNSTREAM_TOKEN") or stack.secrets.token,
        "RUNSTREAM_TICK_KEY": environment.get("RUNSTREAM_TICK_KEY") or stack.secrets.tick_key,
        # A restarted consumer rejoins its group at once, and as a member of this stack.
        "RUNSTREAM_INSTANCE": f"stack-{hashlib.sha256(stack.secrets.tick_key.encode()).hexdigest()[:12]}",
    }


def object_store_client(addresses: Addresses) -> Minio:
    """Return a client of the object store, local or external."""
    return object_store.make_client(addresses.s3_endpoint, addresses.s3_access_key, addresses.s3_secret_key)


def _kafka(folder: DataFolder, stack: StackFile, report: Report) -> Kafka:
    cache = cache_folder()
    java = find_java()
    distribution = with_class_archive(cache, java, fetch_jars(cache, report), report)
    ports = stack.ports
    return Kafka(
        folder.path / "kafka", port=ports["kafka"], controller_port=ports["controller"], distribution=distribution
    )


def _postgres(folder: DataFolder, stack: StackFile) -> Postgres:
    return Postgres(folder.path / "postgres", port=stack.ports["postgres"], password=stack.secrets.postgres)


def _object_store(folder: DataFolder, stack: StackFile) -> ObjectStore:
    secrets = stack.secrets
    return ObjectStore(
        folder.path / "s3",
        port=stack.ports["s3"],
        access_key=secrets.s3_access_key,
        secret_key=secrets.s3_secret_key,
    )


def _external(addresses: Addresses, *, local: set[str]) -> list[ExternalService]:
    """Return the external servers."""
    location = urlsplit(addresses.postgres)
    client = object_store_client(addresses)
    found = [
        ExternalService(name="kafka", address=addresses.kafka, check=lambda: kafka.check_broker(addresses.kafka)),
        ExternalService(
            name="postgres",
            address=f"{location.hostname}:{location.port or 5432}{location.path}",
            check=lambda: postgres.check_database(addresses.postgres),
        ),
        ExternalService(name="s3", address=addresses.s3_endpoint, check=lambda: object_store.check_store(client)),
    ]
    return [service for service in found if service.name not in local]
