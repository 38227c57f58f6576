"""The process of the HTTP API: ``python -m runstream_consumers.server``, with settings from the environment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from runstream_consumers.runtime.garbage import spare_startup_objects
from runstream_consumers.server.app import create_app, stop_streams
from runstream_consumers.settings import ServerSettings, SettingsError

#: Seconds that open requests have to finish after SIGTERM.
_GRACE_S = 1


class _Server(uvicorn.Server):
    """Leaves signals to this module: uvicorn would raise them again and exit with their status instead of 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; raises SystemExit if the port is unavailable, with the reason in the log."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        access_log=False,
        log_level="warning",
        server_header=False,
        # The access rules need the real peer of a connection, not what a header claims.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
    )
    server = _Server(config)
    spare_startup_objects()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True
        stop_streams(app)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()


def main() -> int:
    """Run the process; return 0 after SIGTERM or SIGINT, 2 if the settings are invalid."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = ServerSettings.from_environment()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # no log yet
        return 2
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
