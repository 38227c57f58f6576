"""Ten heavy readers do not starve the others."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_ROWS, _BLOCK = 20_000, 1000
#: Answers to heavy readers while one of another reader is waited for: those that run, and about as many again.
_MOST_OVERTAKING = 20


@pytest.fixture(scope="module")
def large(served: Served) -> Recording:
    """Return a run whose rows take some time to read."""
    recording = new_recording("large", project="budget").start({})
    for first in range(0, _ROWS, _BLOCK):
        rows = [{f"key{number}": step / (number + 1) for number in range(10)} for step in range(first, first + _BLOCK)]
        recording.rows(rows, first_step=first)
    served.store(recording.exit())
    return recording


class HeavyReaders:
    """Ten readers that repeat a request until the block ends; counts the answers."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(10)]
        self.begun = threading.Event()
        self.statuses: list[int] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        assert self.begun.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self.statuses.append(self._read().status_code)
            self.begun.set()


@pytest.mark.parametrize("kind", ["scan", "series", "runs"])
def test_other_requests_are_answered_soon(served: Served, digits: Recording, large: Recording, kind: str) -> None:
    """While ten readers scan, draw charts or select runs, others wait for a few of their answers at most."""
    where = f"/api/v1/runs{path(large.run)}"
    slow = {"$and": [{"display_name": {"$regex": f"x{number}.*y"}} for number in range(300)]}
    heavy: dict[str, Callable[[], Any]] = {
        "scan": lambda: served.ask(f"{where}/scan", page_size=10_000),
        "series": lambda: served.ask(f"{where}/series", samples=20_000),
        "runs": lambda: served.ask("/api/v1/runs/count", filters=json.dumps(slow)),
    }
    light: list[Callable[[], Any]] = [
        lambda: served.ask(f"/api/v1/runs{path(digits.run)}"),
        lambda: served.ask(f"/api/v1/runs{path(digits.run)}/scan", page_size=10),
        lambda: served.ask("/api/v1/runs", limit=5),
    ]
    with HeavyReaders(heavy[kind]) as readers:
        overtaking = []
        for ask in light * 4:
            before = len(readers.statuses)
            assert ask().status_code == 200
            overtaking.append(len(readers.statuses) - before)
    assert max(overtaking) <= _MOST_OVERTAKING
    assert set(readers.statuses) == {200}
