"""Requesting the number of a run whose ``init()`` reached no server."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from runstream.run_folder.folder import RunFolder
from runstream.server.connection import Connection
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.sources.run_number import RunNumberResolver
from runstream.shipper.transport.route import NoServerError, Route, destination_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runstream.shipper.transport.route import Destination

_QUICK = ShipperSettings(first_retry_s=0.01, longest_retry_s=0.01, number_patience_s=0.0)


@contextmanager
def _serving(statuses: list[int], asked: list[str]) -> Iterator[str]:
    """Answer with these statuses in turn, and with 200 and the number 7 from then on."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()
            self.wfile.write(b'{"number": 7}')

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()


class _Asking:
    """A resolver, and the numbers that it recorded."""

    def __init__(self, folder: Path, url: str, *, failures: int = 0, **described: Any) -> None:
        info = {
            "version": 1,
            "run_id": "r 1",
            "project": "p",
            "generated_name": "calm-lake",
            "named": False,
            "number": None,
            "url": url,
            **described,
        }
        (folder / "run.json").write_text(json.dumps(info))
        self.recorded: list[int] = []
        self.ledger = Ledger(folder / "delivery.json")
        self._info = RunFolder(folder).info
        self._failures = failures
        self.numbering = RunNumberResolver(
            self._info,
            Route(self._info, {}, _QUICK),
            _QUICK,
            self.ledger,
            resolve=self._resolve,
            record=self.recorded.append,
        )

    async def _resolve(self) -> Destination:
        if self._failures:
            self._failures -= 1
            raise NoServerError("not yet")
        known = Connection(cluster_id="c", brokers="b:1", prefix="p", partitions=8, entity="ada", url="http://pages")
        return destination_of(self._info, known, "ada")


async def test_number_is_requested_until_answered_and_recorded_once(tmp_path: Path) -> None:
    """The request is repeated after errors; the number is recorded, and kept in the ledger."""
    asked: list[str] = []
    with _serving([503, 503], asked) as url:
        asking = _Asking(tmp_path, url, failures=2)
        await asking.numbering.run()
        await asking.numbering.run()

    assert asked == ["/api/v1/runs/ada/p/r%201/number"] * 3
    assert (asking.recorded, asking.ledger.number, asking.numbering.pending) == ([7], 7, False)
    (tmp_path / "delivery.json").write_text(json.dumps(asking.ledger.to_json()))
    assert Ledger.load(tmp_path / "delivery.json").number == 7


@pytest.mark.parametrize("described", [{"named": True}, {"number": 3}, {"generated_name": None}])
async def test_run_that_needs_no_number_requests_none(tmp_path: Path, described: dict[str, Any]) -> None:
    """A run with a name or a number, or of an older client, is not changed."""
    asking = _Asking(tmp_path, "http://127.0.0.1:1", **described)
    await asking.numbering.run()

    assert (asking.recorded, asking.numbering.awaited()) == ([], False)


def test_end_of_delivery_waits_for_a_limited_time(tmp_path: Path) -> None:
    """After the time limit, the run is delivered without a number."""
    asking = _Asking(tmp_path, "http://127.0.0.1:1")

    assert asking.numbering.pending
    assert not asking.numbering.awaited()
