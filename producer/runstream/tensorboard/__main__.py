"""``python -m runstream.tensorboard RUN_DIR``: make rows of event files; a shipper starts it, nobody else has to.

It reads on while its standard input is open, which it is as long as its shipper lives. The word "end" there means that
nothing more will be written: it takes the rest and ends. Exit status: 0 all is taken; 69 the package ``tensorboard`` is
missing; 73 another reader does not go away; 75 its shipper is gone; 66 there is no such run.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import signal
import sys
import time
from enum import IntEnum
from pathlib import Path

from runstream.run_folder.folder import RunFolder, UnusableRunError
from runstream.shipper.__main__ import configure_logging
from runstream.tensorboard.reader import Reader

log = logging.getLogger("runstream.tensorboard")

#: Between two looks at the files.
_POLL_S = 0.5
#: How long the reader before, whose shipper is gone, may take to end.
_PATIENCE_S = 10.0


class Status(IntEnum):
    """Exit statuses, after sysexits.h."""

    COMPLETE = 0
    USAGE = 64
    UNUSABLE = 66
    UNAVAILABLE = 69
    BUSY = 73
    ALONE = 75


def main(arguments: list[str]) -> Status:
    """Read the event files of the run folder that the arguments name."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m runstream.tensorboard RUN_DIR\n")
        return Status.USAGE
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logging()
    try:
        folder = RunFolder.open(Path(arguments[0]))
        if not _alone(folder.path / "tensorboard.lock"):
            return Status.BUSY
        return _read(Reader(folder))
    except UnusableRunError as error:
        log.error("%s", error)  # noqa: TRY400 (the message says it all)
        return Status.UNUSABLE
    except ImportError as error:
        log.error("%s: pip install 'runstream[tensorboard]'", error)  # noqa: TRY400
        return Status.UNAVAILABLE


def _read(reader: Reader) -> Status:
    while True:
        reader.read()
        said = _said(_POLL_S)
        if said is None:
            continue
        if said.startswith(b"end"):
            reader.finish()
            return Status.COMPLETE
        reader.close()
        return Status.ALONE


def _said(within: float) -> bytes | None:
    """Return what the shipper says, nothing where it is gone; None where it says nothing in time."""
    if not select.select([0], [], [], within)[0]:
        return None
    return os.read(0, 64)


def _alone(path: Path) -> bool:
    """Wait until no other reader is at work; return whether that came true."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
