"""An archive of the classes that Kafka loads: made once per Java and Kafka, it more than halves the time of a start.

Java maps the archive into memory in place of parsing and verifying thousands of classes. It refuses an archive that was
made by another Java or from other jars, and then starts without: the archive can make a start faster, never wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runstream_deploy.exceptions import ServiceFailed
from runstream_deploy.processes.child import Command, launched
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.jars import Report, locked, silent
from runstream_deploy.services.kafka import Distribution, Kafka

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_deploy.services.java import Java


def with_archive(cache: Path, java: Java, jars: Sequence[Path], report: Report = silent) -> Distribution:
    """Return what runs Kafka, with a class archive that is made now where there is none yet.

    Args:
        cache: Folder that keeps the archive.
        java: The Java it is for.
        jars: Kafka's jars, in the order of the class path.
        report: Told when an archive is made, which takes some ten seconds.
    """
    plain = Distribution(java=java, jars=jars)
    archive = cache / f"classes-{_key(java, jars)}.jsa"
    with locked(cache / "classes.lock"):
        if not archive.exists():
            report("preparing Kafka for fast starts (once)")
            with tempfile.TemporaryDirectory(dir=cache, prefix="classes-") as folder:
                _train(plain, Path(folder)).rename(archive)
    return dataclasses.replace(plain, archive=archive)


def _key(java: Java, jars: Sequence[Path]) -> str:
    names = "\n".join([java.program, java.version, *(f"{jar} {jar.stat().st_mtime_ns}" for jar in jars)])
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _train(plain: Distribution, folder: Path) -> Path:
    """Start a broker once on an empty folder, ask it for metadata, and have it write down its classes as it ends."""
    port = choose_port()
    kafka = Kafka(folder / "kafka", port=port, controller_port=choose_port({port}), distribution=plain)
    kafka.prepare()
    archive = folder / "classes.jsa"
    option = f"-XX:ArchiveClassesAtExit={archive}"
    arguments = plain.arguments("kafka.Kafka", str(kafka.folder / "server.properties"), options=[option])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - Kafka itself
            launched(Command(arguments=arguments)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        asyncio.run(_answered(kafka, process))
        process.terminate()
        process.wait(60)
    except subprocess.TimeoutExpired as error:
        raise ServiceFailed("kafka", "did not write its class archive in time") from error
    finally:
        process.kill()
        process.wait()
    if not archive.exists():
        raise ServiceFailed("kafka", "wrote no class archive", (folder / "log").read_text(errors="replace")[-2000:])
    return archive


async def _answered(kafka: Kafka, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + kafka.patience
    while True:
        try:
            await kafka.check()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceFailed("kafka", "did not start to have its classes archived") from error
            await asyncio.sleep(0.1)
        else:
            return
