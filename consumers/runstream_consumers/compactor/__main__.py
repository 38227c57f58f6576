"""``python -m runstream_consumers.compactor`` runs the compactor, with settings from the environment."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import sys

from runstream_consumers.compactor.process import compact
from runstream_consumers.compactor.settings import CompactorSettings
from runstream_consumers.runtime.stopping import stop_on_signals
from runstream_consumers.settings import SettingsError

#: Options of glibc's mallopt: M_MMAP_THRESHOLD and M_ARENA_MAX.
_LARGE_BLOCKS, _ARENAS = -3, -8


def _return_freed_memory() -> None:
    """Make glibc return the memory of large arrays to the system when they are freed, instead of keeping it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other libraries have none
    if mallopt is not None:
        mallopt(_LARGE_BLOCKS, 1024 * 1024)
        mallopt(_ARENAS, 2)


async def _compact_until_signaled(settings: CompactorSettings) -> None:
    await compact(settings, stop=stop_on_signals())


def main() -> int:
    """Run the process; return 0 after SIGTERM or SIGINT, 2 if the settings are invalid."""
    try:
        settings = CompactorSettings.from_environment()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # no log yet
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _return_freed_memory()
    asyncio.run(_compact_until_signaled(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
