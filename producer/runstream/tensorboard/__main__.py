"""``python -m runstream.tensorboard RUN_DIR``: read event files into the run. Started by the shipper.

The process runs until its standard input is closed, which happens when its shipper exits. After the line "end" it reads
the remaining events and exits. Exit status: 0 everything was read; 64 wrong arguments; 66 the run folder is unusable;
69 the package ``tensorboard`` is missing; 73 another reader is running; 75 the shipper exited.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from enum import IntEnum
from pathlib import Path

from runstream.run_folder.folder import RunFolder, UnusableRunError, lock
from runstream.tensorboard.reader import RunReader

log = logging.getLogger("runstream.tensorboard")

#: How often new events are read.
_POLL_S = 0.5
#: How long to wait until an earlier reader, whose shipper exited, exits too.
_LOCK_TIMEOUT_S = 10.0


class Status(IntEnum):
    """Exit statuses, after sysexits.h."""

    COMPLETE = 0
    USAGE = 64
    UNUSABLE = 66
    UNAVAILABLE = 69
    BUSY = 73
    NO_SHIPPER = 75


def main(arguments: list[str]) -> Status:
    """Read the event files of the run folder named by the arguments."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m runstream.tensorboard RUN_DIR\n")
        return Status.USAGE
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s", level=os.environ.get("RUNSTREAM_LOG_LEVEL", "INFO")
    )
    try:
        folder = RunFolder.open(Path(arguments[0]))
        if not _lock(folder.path / "tensorboard.lock"):
            return Status.BUSY
        return _read(RunReader(folder))
    except UnusableRunError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is enough
        return Status.UNUSABLE
    except ImportError as error:
        log.error("%s: pip install 'runstream[tensorboard]'", error)  # noqa: TRY400
        return Status.UNAVAILABLE


def _read(reader: RunReader) -> Status:
    while True:
        reader.read()
        if not select.select([0], [], [], _POLL_S)[0]:
            continue
        # A line from the shipper; empty if it exited.
        if os.read(0, 64).startswith(b"end"):
            reader.finish()
            return Status.COMPLETE
        reader.close()
        return Status.NO_SHIPPER


def _lock(path: Path) -> bool:
    """Lock the run's event files for this process; return whether that succeeded within the timeout."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while lock(path) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
