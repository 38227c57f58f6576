"""Whatever ``log()`` accepts at the limits of steps, nesting and keys can be stored by the consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas.events import Kind, LogEvent
from runstream_schemas.rows import unpack_rows
from tests.property.values.hostile import deep
from tests.property.values.published import events_of

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.tracking.rows.row_log import RowLog


def stored(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return steps and values of the rows of a writer as consumers decode them; none of them is lost."""
    found = []
    for event in events_of(folder):
        assert isinstance(event, LogEvent)
        assert event.header.kind is Kind.DATA
        found += list(zip(event.steps.tolist(), unpack_rows(event), strict=True))
    return found


def test_rows_at_the_least_and_greatest_step_are_stored(history: RowLog, tmp_path: Path) -> None:
    """Steps at both ends are kept, and later rows without a step stay at the greatest one."""
    greatest = 2**63 - 1
    history.log({"a": 0}, step=-(2**63))
    history.log({"a": 1}, step=greatest, commit=True)
    for number in range(2, 5):
        history.log({"a": number})
    history.log({"a": 5}, commit=False)
    history.log({"a": 6})

    steps = [-(2**63), *[greatest] * 5]
    assert [(step, row["a"]) for step, row in stored(tmp_path)] == list(zip(steps, [0, 1, 2, 3, 4, 6], strict=True))


@pytest.mark.parametrize("levels", range(61, 68))
def test_nesting_at_the_limit_is_stored_or_noted(history: RowLog, tmp_path: Path, levels: int) -> None:
    """Lists and dicts within the limit are kept, and deeper ones end in a note."""
    lists: Any = 1
    for _ in range(levels):
        lists = [lists]
    history.log({"lists": lists, "both": deep(levels), "b": 1})

    ((_, row),) = stored(tmp_path)
    assert row["b"] == 1
    assert (row["lists"] == lists) == (levels < 64)
    assert ("not recorded" in str(row)) == (levels >= 64)


def test_long_keys_do_not_collide(history: RowLog, tmp_path: Path) -> None:
    """Keys over the limit that begin alike are separate keys, at every level."""
    keys = ["k" * 600 + end for end in "ab"]
    history.log({**dict.fromkeys(keys, 1), "n": dict.fromkeys(keys, 2)})

    ((_, row),) = stored(tmp_path)
    assert [len(key) for key in row] == [512, 512, 1]
    assert len(row["n"]) == 2
