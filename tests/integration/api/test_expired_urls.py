"""Presigned URLs that have expired before they are used: by a stopped shipper, and by a slow download."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runstream.public_api.api import Api
from runstream.run_folder.folder import RunFolder
from runstream.spool.control_page import Word
from tests.integration.api.serving import ENTITY, TOKEN, running_api
from tests.polling import eventually
from tests.trainers import run_folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from runstream_deploy.processes.reaper import Reaper
    from tests.integration.api.serving import Served

_EXPIRES_S = 3
_PROGRAM = """
import pathlib, sys, runstream
settings = {"silent": True, "console": "off", "x_disable_meta": True, "x_disable_stats": True}
run = runstream.init(project="expired", id=sys.argv[1], settings=settings)
pathlib.Path("weights").write_bytes(sys.argv[1].encode() * 10_000)
run.log_model("weights", "weights-" + sys.argv[1])
run.finish()
"""


class Gate:
    """Forwards connections to the object store, while it is open; clients reach the store only through it."""

    def __init__(self, store: str) -> None:
        address = urlsplit(store)
        self._store = (address.hostname, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.open = threading.Event()
        #: Connections that wait, and requests that the store has refused.
        self.waiting = self.refused = 0

    @contextmanager
    def running(self) -> Iterator[Gate]:
        """Forward until the block ends."""
        self._start(self._accept)
        try:
            yield self
        finally:
            self.open.set()
            self._listener.shutdown(socket.SHUT_RDWR)
            for thread in self._threads:
                thread.join(60)
            self._listener.close()

    def _start(self, work: object, *arguments: object) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))  # type: ignore[arg-type]  # any function
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._start(self._forward, self._listener.accept()[0])

    def _forward(self, client: socket.socket) -> None:
        self.waiting += 1
        self.open.wait()
        self.waiting -= 1
        with client, socket.create_connection(self._store) as store:
            answers = threading.Thread(target=self._copy, args=(store, client, True), daemon=True)
            answers.start()
            self._copy(client, store, counted=False)
            answers.join(60)

    def _copy(self, source: socket.socket, target: socket.socket, counted: bool) -> None:  # noqa: FBT001 - an argument of a thread
        with suppress(OSError):
            while data := source.recv(65536):
                self.refused += counted and data.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def test_what_outlives_its_urls_is_uploaded_and_downloaded(
    served: Served, reaper: Reaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shipper that is stopped until its URLs have expired asks for others; a download is read through the API."""
    assert served.object_store is not None
    run_id = uuid.uuid4().hex[:12]

    def expire() -> None:
        eventually(lambda: gate.waiting)
        end = time.time() + _EXPIRES_S + 1
        eventually(lambda: time.time() > end)
        gate.open.set()

    with Gate(served.object_store.endpoint).running() as gate:
        settings = {"RUNSTREAM_S3_PUBLIC_ENDPOINT": gate.url, "RUNSTREAM_S3_URL_EXPIRES_S": str(_EXPIRES_S)}
        with running_api({**served.settings, **settings}, reaper, tmp_path) as url:
            monkeypatch.setenv("RUNSTREAM_URL", url)
            monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
            monkeypatch.setenv("RUNSTREAM_CACHE_DIR", str(tmp_path / "cache"))
            trainer = subprocess.Popen([sys.executable, "-c", _PROGRAM, run_id], cwd=tmp_path)
            (folder,) = eventually(lambda: run_folders(tmp_path))
            eventually(lambda: gate.waiting)
            shipper = RunFolder.open(folder).control[Word.SHIPPER_PID]
            os.kill(shipper, signal.SIGSTOP)
            try:
                expire()
            finally:
                os.kill(shipper, signal.SIGCONT)
            assert trainer.wait(300) == 0
            refused = gate.refused
            assert refused
            name = f"{ENTITY}/expired/weights-{run_id}:v0"
            eventually(lambda: Api().artifact_exists(name))
            artifact = Api().artifact(name)
            gate.open.clear()
            with ThreadPoolExecutor(1) as pool:
                download = pool.submit(artifact.download, tmp_path / "downloaded")
                expire()
                download.result(300)
            assert (tmp_path / "downloaded" / "weights").read_bytes() == run_id.encode() * 10_000
            assert gate.refused > refused
