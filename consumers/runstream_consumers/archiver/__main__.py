"""``python -m runstream_consumers.archiver`` runs the archiver, with settings from the environment."""

from __future__ import annotations

import asyncio
import logging
import sys

from runstream_consumers.archiver.process import archive
from runstream_consumers.archiver.settings import ArchiverSettings
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.stopping import stop_on_signals
from runstream_consumers.settings import SettingsError

log = logging.getLogger("runstream_consumers.archiver")


async def _archive_until_signaled(settings: ArchiverSettings) -> None:
    await archive(settings, stop=stop_on_signals())


def main() -> int:
    """Run the process; return 0 after SIGTERM or SIGINT, 1 after an error, 2 if the settings are invalid."""
    try:
        settings = ArchiverSettings.from_environment()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # no log yet
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    try:
        asyncio.run(_archive_until_signaled(settings))
    except RuntimeFault as error:
        log.critical("%s: %s", type(error).__name__, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
