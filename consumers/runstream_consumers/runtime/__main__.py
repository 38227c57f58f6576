"""``python -m runstream_consumers.runtime NAME`` runs the consumer of that name or file.

Its settings are those in the environment; ``runstream consume`` adds those of the stack that it finds.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence

from runstream_consumers.runtime.dry_run import dry_run
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.faults import is_infrastructure_error
from runstream_consumers.runtime.garbage import spare_startup_objects
from runstream_consumers.runtime.options import DEFAULT_OPTIONS
from runstream_consumers.runtime.plugin import Consumer, declaration_of
from runstream_consumers.runtime.process import consume, redrive_quarantine
from runstream_consumers.runtime.rebuild import describe_rebuild, reset
from runstream_consumers.runtime.registry import find_consumer, load_settings
from runstream_consumers.runtime.stopping import stop_on_signals
from runstream_consumers.settings import ServerSettings, SettingsError

log = logging.getLogger("runstream_consumers.runtime")

_REPEAT_SECONDS = 30.0
#: The exit status of a command interrupted by Ctrl-C, as in a shell.
_INTERRUPTED = 130


class SparseFilter(logging.Filter):
    """Passes each message of a logger and its descendants once per interval; other loggers are not limited.

    Messages with the same format string are the same. Kafka's client reports each of its ten attempts per second to
    reach a broker that is down.
    """

    def __init__(self, name: str, *, interval: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._prefix = f"{name}."
        self._interval = interval
        self._clock = clock
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        if not f"{record.name}.".startswith(self._prefix):
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        if now - self._passed.get(key, -self._interval) < self._interval:
            return False
        self._passed[key] = now
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a consumer with the settings in the environment; see :func:`run`."""
    return run(parse(arguments))


def run(parsed: argparse.Namespace) -> int:
    """Run a consumer until SIGTERM or SIGINT, or one of the one-time commands.

    Returns 0 on success, 1 after an error, 2 if settings are missing or invalid.
    """
    try:
        settings = ServerSettings.from_environment()
        _log_to_stderr(settings.log_level)
        consumer = find_consumer(parsed.name)
        load_settings(consumer)
        spare_startup_objects()
        if parsed.rebuild:
            _confirm(asyncio.run(describe_rebuild(consumer, settings, DEFAULT_OPTIONS)), is_confirmed=parsed.yes)
        asyncio.run(_run(consumer, settings, parsed))
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except RuntimeFault as error:
        log.critical("%s: %s", type(error).__name__, error)
        return 1
    except Exception as error:
        # A server that does not answer is no bug: one line.
        log.critical("consumer %s failed: %r", parsed.name, error, exc_info=not is_infrastructure_error(error))
        return 1
    except KeyboardInterrupt:  # during a one-time command
        return _INTERRUPTED
    log.info("consumer %s stopped", parsed.name)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command; raises SystemExit if they are invalid."""
    parser = argparse.ArgumentParser(prog="runstream-consumer", description="Run one consumer of the event stream.")
    parser.add_argument("name", help="a Python file that defines a consumer, or the name of an installed one")
    parser.add_argument(
        "--from",
        dest="start",
        metavar="POSITION",
        help="where a consumer without stored offsets begins: start, now, or a time (2026-11-28T12:00:00Z)",
    )
    once = parser.add_mutually_exclusive_group()
    once.add_argument("--redrive", action="store_true", help="apply its quarantined messages again, then exit")
    once.add_argument("--dry-run", action="store_true", help="print what it would do, store nothing, then exit")
    parser.add_argument("--rebuild", action="store_true", help="drop its tables, and read the topics again")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask before a rebuild")
    parsed = parser.parse_args(arguments)
    if parsed.rebuild and (parsed.redrive or parsed.dry_run):
        parser.error("--rebuild cannot be combined with --redrive or --dry-run")
    return parsed


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(SparseFilter("aiokafka", interval=_REPEAT_SECONDS, clock=time.monotonic))
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler])
    logging.getLogger("aiokafka").setLevel(logging.WARNING)


async def _run(consumer: Consumer, settings: ServerSettings, parsed: argparse.Namespace) -> None:
    if parsed.redrive:
        await redrive_quarantine(consumer, settings)
    elif parsed.dry_run:
        start = parsed.start or declaration_of(consumer).start
        print(await dry_run(consumer, settings, DEFAULT_OPTIONS, start=start))  # noqa: T201 — the command's output
    else:
        if parsed.rebuild:
            await reset(consumer, settings, DEFAULT_OPTIONS, start=parsed.start)
        start = None if parsed.rebuild else parsed.start
        await consume(consumer, settings, stop=stop_on_signals(), start=start)


def _confirm(rebuild: str, *, is_confirmed: bool) -> None:
    """Print what a rebuild does, and ask whether to continue; raises RuntimeFault if not."""
    print(rebuild)  # noqa: T201 — the command's output
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise RuntimeFault("Nothing was changed: add --yes to confirm")
    try:
        answer = input("Continue? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise RuntimeFault("Nothing was changed")


if __name__ == "__main__":
    sys.exit(main())
