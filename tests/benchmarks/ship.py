"""Deliver a run folder, or send prepared messages with a bare producer, and print the time. Runs as a process."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer

from runstream.run_folder.folder import RunFolder, lock
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.shipper import Shipper
from runstream_schemas.codec import encode
from runstream_schemas.topics import RunPath
from tests.benchmarks.blocks import block, rows
from tests.benchmarks.processes import peak_memory

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def ship(folder: Path, block_rows: int) -> None:
    """Deliver a folder like ``runstream sync``."""
    run_folder = RunFolder(folder)
    lock(run_folder.path / "shipper.lock")
    await Shipper(run_folder, os.environ, ShipperSettings(block_rows=block_rows), live=False).run()


async def send(broker: str, topic: str, messages: list[bytes]) -> None:
    """Send messages in full batches as fast as a producer accepts them, until all are acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, acks="all", max_batch_size=1 << 20)
    await producer.start()
    try:
        acknowledged: list[Any] = []
        waiting = iter(messages)
        message = next(waiting, None)
        while message is not None:
            batch = producer.create_batch()
            while message is not None and batch.append(key=None, value=message, timestamp=None) is not None:
                message = next(waiting, None)
            acknowledged.append(await producer.send_batch(batch, topic, partition=0))
        await asyncio.gather(*acknowledged)
    finally:
        await producer.stop()


def messages(count: int, block_rows: int, keys: int) -> list[bytes]:
    """Return the rows of a run as messages."""
    run = RunPath(entity="bench", project="raw", run_id="r")
    content = rows(0, block_rows, keys)
    return [encode(block(run, bytes(16), first, content)) for first in range(0, count, block_rows)]


def main() -> None:
    """Run as the arguments specify, and print seconds, CPU seconds and peak MiB."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--broker")
    parser.add_argument("--topic")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--keys", type=int, default=0)
    parser.add_argument("--block-rows", type=int, required=True)
    arguments = parser.parse_args()
    work: Coroutine[Any, Any, None]
    if arguments.folder:
        work = ship(arguments.folder, arguments.block_rows)
    else:
        work = send(arguments.broker, arguments.topic, messages(arguments.rows, arguments.block_rows, arguments.keys))
    begin, cpu = time.monotonic(), time.process_time()
    asyncio.run(work)
    took = {"seconds": time.monotonic() - begin, "cpu": time.process_time() - cpu, "peak": peak_memory()}
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    main()
