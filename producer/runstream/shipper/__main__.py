"""``python -m runstream.shipper RUN_DIR``: deliver a run folder until it is complete.

Exit status: 0 complete; 73 another shipper is delivering the folder; 75 given up: no server answered for days;
143 stopped by SIGTERM; 64 or 66 the folder cannot be delivered at all.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from enum import IntEnum
from pathlib import Path

from runstream.descriptors import occupy_standard_descriptors
from runstream.run_folder.folder import RunFolder, UnusableRunError, lock
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.writers.process import InheritedPidfd

log = logging.getLogger("runstream.shipper")


class Status(IntEnum):
    """Exit statuses, after sysexits.h."""

    COMPLETE = 0
    USAGE = 64
    UNUSABLE = 66
    BUSY = 73
    GIVEN_UP = 75
    STOPPED = 143


async def deliver(folder: RunFolder, settings: ShipperSettings, trainer: InheritedPidfd | None) -> Status:
    """Run a shipper until it is done or stopped; ``trainer`` is the pidfd of the process that started it."""
    from runstream.shipper.shipper import Shipper, ShipperResult  # noqa: PLC0415 (heavy, and not needed if another shipper is running)

    shipper = Shipper(folder, os.environ, settings, trainer=trainer)
    gc.freeze()  # Python would search all modules for cycles when a batch of records makes many objects
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, shipper.stop)
    statuses = {ShipperResult.COMPLETE: Status.COMPLETE, ShipperResult.GIVEN_UP: Status.GIVEN_UP}
    return statuses.get(await shipper.run(), Status.STOPPED)


def main(arguments: list[str]) -> Status:
    """Deliver the run folder that the arguments name."""
    occupy_standard_descriptors()
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m runstream.shipper RUN_DIR\n")
        return Status.USAGE
    # The run continues when the terminal is closed, and Ctrl-C is meant for the training process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logging()
    trainer = InheritedPidfd.from_environ(os.environ)
    try:
        folder = RunFolder.open(Path(arguments[0]))
        descriptor = lock(folder.path / "shipper.lock")
    except (UnusableRunError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 (the message is enough)
        return Status.UNUSABLE
    if descriptor is None:
        log.info("another shipper is delivering %s", folder.path)
        return Status.BUSY
    return asyncio.run(deliver(folder, ShipperSettings.from_environ(os.environ), trainer))


def configure_logging() -> None:
    """Log to standard error; aiokafka would repeat itself while a broker is unreachable."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        level=os.environ.get("RUNSTREAM_LOG_LEVEL", "INFO"),
        stream=sys.stderr,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
