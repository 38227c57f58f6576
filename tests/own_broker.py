"""A broker of a single test, which may suspend and kill it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runstream.server.folders import cache_folder
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.processes.reaper import descendants
from runstream_deploy.services.class_archive import with_class_archive
from runstream_deploy.services.jars import fetch_jars
from runstream_deploy.services.java import find_java
from runstream_deploy.services.kafka import Kafka
from runstream_deploy.services.service import wait_until_ready
from tests.run_aside import run_aside

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper


class OwnBroker:
    """A broker that a test can suspend and kill."""

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self._folder = folder
        self._reaper = reaper
        distribution = with_class_archive(cache_folder(), find_java(), fetch_jars(cache_folder()))
        port = choose_port()
        self.kafka = Kafka(folder / "kafka", port=port, controller_port=choose_port({port}), distribution=distribution)
        self.kafka.prepare()
        self.start()

    def start(self) -> None:
        """Start the broker on its data, and wait until it answers."""
        log = self._folder / "kafka.log"
        self._child = Child(self.kafka.command(), log, self._reaper)
        run_aside(wait_until_ready(self.kafka, self._child.exit_code, log))

    def kill(self) -> None:
        """Kill the broker."""
        self._child.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the broker."""
        for pid in [self._child.pid, *(pid for pid, _ in descendants(self._child.pid))]:
            os.kill(pid, number)
