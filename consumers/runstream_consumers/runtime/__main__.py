"""``python -m runstream_consumers.runtime NAME`` runs the consumer registered under that name."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.kafka.sparse_log import SparseFilter
from runstream_consumers.runtime.process import consume, redrive_quarantine
from runstream_consumers.runtime.registry import find_consumer
from runstream_consumers.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.runtime.plugin import Consumer

log = logging.getLogger("runstream_consumers.runtime")

_REPEAT_SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a consumer until SIGTERM or SIGINT, or redrive its quarantine; return 1 after a fault, 2 on bad settings."""
    parser = argparse.ArgumentParser(prog="runstream-consumer", description="Run one consumer of the event stream.")
    parser.add_argument("name", help="the name it is registered under (entry-point group runstream.consumers)")
    parser.add_argument("--redrive", action="store_true", help="try its quarantined messages again, then end")
    parsed = parser.parse_args(arguments)
    name: str = parsed.name
    try:
        settings = ServerSettings.from_environment()
    except ValidationError as error:
        print(f"runstream-consumer: settings from RUNSTREAM_*: {error}", file=sys.stderr)  # noqa: T201 — no log yet
        return 2
    _log_to_stderr(settings.log_level)
    try:
        consumer = find_consumer(name)
        asyncio.run(redrive_quarantine(consumer, settings) if parsed.redrive else _run(consumer, settings))
    except RuntimeFault as error:
        log.critical("%s: %s", type(error).__name__, error)
        return 1
    except Exception:
        log.critical("consumer %s failed", name, exc_info=True)
        return 1
    log.info("consumer %s stopped", name)
    return 0


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(SparseFilter("aiokafka", interval=_REPEAT_SECONDS, clock=time.monotonic))
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler])
    logging.getLogger("aiokafka").setLevel(logging.WARNING)


async def _run(consumer: Consumer, settings: ServerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await consume(consumer, settings, stop=stop)


if __name__ == "__main__":
    sys.exit(main())
