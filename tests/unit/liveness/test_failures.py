"""Which exception a run is shown with."""

from __future__ import annotations

import pytest

from runstream_consumers.liveness.failures import WriterFailure, deciding_failure
from runstream_schemas.events import Failure


def _writer(number: int, role: str, *, first: int = 0, time: int = 0) -> WriterFailure:
    """Return a writer that failed at a time, or did not at time 0."""
    failure = Failure(type=f"Error{number}") if time else None
    return WriterFailure(writer=bytes([number]) * 16, role=role, first=first, time=time, failure=failure)


@pytest.mark.parametrize(
    ("state", "writers", "expected"),
    [
        ("failed", [_writer(1, "primary", time=5), _writer(2, "worker", time=1)], 1),
        ("failed", [_writer(1, "primary", first=1, time=5), _writer(2, "primary", first=9, time=8)], 2),
        ("failed", [_writer(1, "primary", first=1, time=5), _writer(2, "primary", first=9)], None),
        ("failed", [_writer(1, "primary"), _writer(2, "child", time=1), _writer(3, "worker", time=2)], 3),
        ("failed", [_writer(1, "primary"), _writer(2, "child", time=3), _writer(3, "child", time=2)], 3),
        ("failed", [_writer(1, "worker", time=3), _writer(2, "worker", time=2)], 2),
        ("killed", [_writer(1, "primary", time=3)], 1),
        ("crashed", [_writer(1, "primary"), _writer(2, "child", time=1)], None),
        ("killed", [_writer(1, "worker", time=3)], 1),
        ("finished", [_writer(1, "primary"), _writer(2, "child", time=1)], None),
        ("running", [_writer(1, "primary", time=3)], None),
        ("failed", [], None),
    ],
)
def test_the_exception_of_the_deciding_writer_is_shown(
    state: str, writers: list[WriterFailure], expected: int | None
) -> None:
    """It is that of the newest primary; of a failed run without one, that of the first worker, or else process."""
    found = deciding_failure(state, writers)
    assert (None if found is None else found.writer[0]) == expected
