"""An archive of the classes that Kafka loads, which more than halves the time of a start.

Java maps the archive into memory instead of parsing and verifying thousands of classes. It ignores an archive made by
another Java or from other jars, so the archive affects only the time. It is
created once for each Java and Kafka version.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runstream_deploy.exceptions import ServiceError
from runstream_deploy.processes.child import Command, launch_arguments
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.jars import Report, file_lock
from runstream_deploy.services.java import Java
from runstream_deploy.services.kafka import Distribution, Kafka
from runstream_deploy.services.service import last_lines, wait_until_ready


def with_class_archive(cache: Path, java: Java, jars: Sequence[Path], report: Report = lambda _: None) -> Distribution:
    """Return the files that run Kafka, with a class archive, which is created in about ten seconds unless it exists."""
    plain = Distribution(java=java, jars=jars)
    archive = cache / f"classes-{_key(java, jars)}.jsa"
    with file_lock(cache / "classes.lock"):
        if not archive.exists():
            report("preparing Kafka for fast starts (once)")
            with tempfile.TemporaryDirectory(dir=cache, prefix="classes-") as folder:
                _train(plain, Path(folder)).rename(archive)
    return dataclasses.replace(plain, archive=archive)


def _key(java: Java, jars: Sequence[Path]) -> str:
    names = "\n".join([java.program, java.version, *(f"{jar} {jar.stat().st_mtime_ns}" for jar in jars)])
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _train(plain: Distribution, folder: Path) -> Path:
    """Start a broker on an empty folder, request its metadata, and stop it, which writes the archive."""
    port = choose_port()
    kafka = Kafka(folder / "kafka", port=port, controller_port=choose_port({port}), distribution=plain)
    kafka.prepare()
    archive = folder / "classes.jsa"
    option = f"-XX:ArchiveClassesAtExit={archive}"
    arguments = plain.arguments("kafka.Kafka", str(kafka.folder / "server.properties"), options=[option])
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - Kafka itself
            launch_arguments(Command(arguments=arguments)), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        asyncio.run(wait_until_ready(kafka, process.poll, log))
        process.terminate()
        process.wait(60)
    except subprocess.TimeoutExpired as error:
        raise ServiceError("kafka", "did not write its class archive in time") from error
    finally:
        process.kill()
        process.wait()
    if not archive.exists():
        raise ServiceError("kafka", "did not write its class archive", last_lines(log))
    return archive
