"""Repeated messages of a library."""

from __future__ import annotations

import logging

from runstream_consumers.runtime.__main__ import SparseFilter


def record(name: str, message: str) -> logging.LogRecord:
    """A record as a logger makes it."""
    return logging.LogRecord(name, logging.ERROR, "file", 1, message, ("x",), None)


def test_a_repeated_message_passes_once_an_interval() -> None:
    """The same format string is logged once per interval, with any arguments; others are not limited."""
    now = 0.0
    sparse = SparseFilter("library", interval=30.0, clock=lambda: now)
    passed = [sparse.filter(record("library.client", "Unable to connect to %s")) for _ in range(3)]
    assert passed == [True, False, False]
    assert sparse.filter(record("library.client", "Failed to fetch %s"))
    assert sparse.filter(record("library", "Unable to connect to %s"))
    assert sparse.filter(record("ours", "Unable to connect to %s"))
    assert sparse.filter(record("ours", "Unable to connect to %s"))
    assert sparse.filter(record("library2", "Unable to connect to %s"))
    now = 30.0
    assert sparse.filter(record("library.client", "Unable to connect to %s"))
