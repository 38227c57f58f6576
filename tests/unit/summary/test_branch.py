"""The summary of a run that was rewound or forked begins anew at the marker."""

from __future__ import annotations

import numpy as np

from runstream_schemas.events import Branch, Header, Kind, LogEvent, Role, Stream, Writer
from runstream_schemas.rows import pack_rows
from runstream_schemas.summary_algebra.fold import RunFold
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.state import run_fold, run_state
from runstream_schemas.topics import RunPath

RUN = RunPath(entity="e", project="p", run_id="r")
OLD = Writer(id=bytes(16), role=Role.PRIMARY)
NEW = Writer(id=b"n" * 16, role=Role.PRIMARY, continues=(OLD.id,))


def rows(by: Writer, steps: list[int]) -> LogEvent:
    """Return a block whose rows hold their step as ``a``."""
    numbers = np.array(steps)
    columns = pack_rows([{"a": step} for step in steps])
    return LogEvent(
        header=Header(kind=Kind.DATA, run=RUN, writer=by, time=0, seq=steps[0], count=len(steps)),
        stream=Stream.HISTORY,
        orders=numbers,
        steps=numbers,
        times=numbers,
        columns=columns,
    )


def rewind(step: int) -> LogEvent:
    """Return the marker of a rewind."""
    none = np.empty(0, dtype=np.int64)
    return LogEvent(
        header=Header(kind=Kind.BRANCH, run=RUN, writer=NEW, time=0, seq=0, count=1),
        stream=Stream.HISTORY,
        orders=none,
        steps=none,
        times=none,
        branch=Branch(run=RUN, step=step),
    )


def values(fold: RunFold) -> dict[str, object]:
    """Return what was logged of a summary."""
    return {key: value for key, value in summary_of(fold).items() if not key.startswith("_")}


def test_what_was_logged_before_does_not_count_any_more() -> None:
    """Neither what came before the marker nor what comes late of the writers that were carried on."""
    fold = RunFold(run=RUN)
    fold.fold(rows(OLD, [0, 1, 2, 3]), 0, 1)
    fold.fold(rewind(1), 1, 2)
    assert (values(fold), fold.last_step) == ({}, 1)
    fold.fold(rows(OLD, [4, 5]), 2, 3)
    fold.fold(rows(NEW, [2]), 3, 4)
    assert (values(fold), fold.last_step) == ({"a": 2}, 2)


def test_it_is_kept_with_the_fold() -> None:
    """Whoever goes on from the stored fold leaves the same rows out."""
    fold = RunFold(run=RUN)
    fold.fold(rewind(1), 1, 2)
    stored = run_fold(RUN, run_state(fold))
    assert run_state(stored) == run_state(fold)
    stored.fold(rows(OLD, [4, 5]), 2, 3)
    assert values(stored) == {}
