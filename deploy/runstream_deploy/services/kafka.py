"""Apache Kafka: one node in KRaft mode, broker and controller in one JVM."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from runstream_deploy.exceptions import DataFolderError, ServiceError
from runstream_deploy.processes.child import Command, run
from runstream_deploy.processes.ports import LOOPBACK
from runstream_deploy.services.jars import KAFKA_VERSION
from runstream_deploy.services.java import Java
from runstream_deploy.services.service import Service

#: A small, mostly idle broker: the simple compiler and collector start faster and use less memory.
_JVM = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxDirectMemorySize=256m",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    # The metrics reporter registers JMX beans that do not exist with this logging binding.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.utils.AppInfoParser=error",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The files that run Kafka: a Java runtime, the jars, and optionally a class archive."""

    java: Java
    jars: Sequence[Path]
    archive: Path | None = None

    def arguments(self, main: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return the command line of a Java program, always with the same class path, as the archive requires."""
        shared = [f"-XX:SharedArchiveFile={self.archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        tuning = [*_JVM, *(shared if self.archive else []), *options]
        return [self.java.program, *tuning, "-cp", ":".join(map(str, self.jars)), main, *arguments]


class Kafka(Service):
    """A single Kafka node on loopback, which keeps data and settings in one folder, created unless it exists."""

    name = "kafka"
    version = KAFKA_VERSION
    #: Includes the recovery after a crash, which reads the newest segments.
    start_timeout = 120.0

    def __init__(self, folder: Path, *, port: int, controller_port: int, distribution: Distribution) -> None:
        self.folder = folder
        self.ports = {"kafka": port, "kafka's controller": controller_port}
        self.address = f"{LOOPBACK}:{port}"
        self._controller_address = f"{LOOPBACK}:{controller_port}"
        self._distribution = distribution
        self._settings = folder / "server.properties"

    def prepare(self) -> None:
        """Write the settings; format the folder the first time.

        DataFolderError is raised if its path contains a comma, and ServiceError if it could not be formatted.
        """
        if "," in str(self.folder):
            raise DataFolderError(f"Kafka does not support a comma in the path of its data: rename {self.folder}")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings.write_text("".join(f"{key}={escape(value)}\n" for key, value in self._properties().items()))
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def command(self) -> Command:
        """Return the command that runs the broker."""
        return Command(arguments=self._distribution.arguments("kafka.Kafka", str(self._settings)))

    async def check(self) -> None:
        """Return once the broker has answered with its metadata; OSError if it does not."""
        await check_broker(self.address)

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        arguments = self._distribution.arguments(
            "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)
        )
        done = run(Command(arguments=arguments))
        if done.returncode != 0:
            raise ServiceError(self.name, "could not format its folder", (done.stdout + done.stderr)[-2000:])

    def _properties(self) -> dict[str, object]:
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{self._controller_address}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{self._controller_address}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": self.folder / "data",
            # Topics are created explicitly, with their settings.
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # Lets consumers use a short session timeout, so that a killed one is noticed soon.
            "group.min.session.timeout.ms": 1000,
            # Sized for one machine: fewer threads and buffers.
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
            "log.index.size.max.bytes": 2 * 1024 * 1024,
            "log.segment.delete.delay.ms": 1000,
            # Otherwise an idle node writes to its metadata log twice a second.
            "metadata.max.idle.interval.ms": 0,
            # A broker that was killed can register again only when its old session has expired. If a session expires
            # because the machine was suspended, the broker registers again at its next heartbeat.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 500,
        }


def escape(value: object) -> str:
    """Return a value escaped for a Java properties file: ASCII, with UTF-16 escapes for other characters."""
    units = str(value).replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2)]
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)  # noqa: PLR2004 - ASCII


async def check_broker(address: str) -> None:
    """Return once a broker has answered with its metadata; raise OSError if it does not answer."""
    # Check for a closed port first: aiokafka would log an error each time.
    host, _, port = address.partition(",")[0].rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()
    client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=5000)
    try:
        await client.bootstrap()
        if not client.cluster.brokers():
            raise ConnectionError("Kafka answers but has no broker yet")
    except KafkaError as error:
        raise ConnectionError(str(error)) from error
    finally:
        await client.close()
