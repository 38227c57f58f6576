"""Parts that earlier versions wrote are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runstream_consumers.archive.layout import index_key
from runstream_consumers.archive.parquet import writer
from runstream_consumers.archive.storage.codec import pack, unpack
from runstream_consumers.history.reader import RowQuery
from runstream_consumers.runtime.postgres.run_key import run_key
from tests.property.archive.histories import RUN, History, all_rows, logged

if TYPE_CHECKING:
    import pytest

_ROWS = 40_000


def test_a_part_without_the_size_of_its_row_groups_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of the first version of the index have row groups of 32 768 rows."""
    history = History()
    blocks = [(0, range(at, at + 1000), [{"a": step} for step in range(at, at + 1000)]) for at in range(0, _ROWS, 1000)]
    history.add(run_key(RUN), *logged(blocks))
    monkeypatch.setattr(writer, "GROUP_ROWS", 32_768)
    history.archive_blocks(run_key(RUN), range(len(blocks)))
    [record] = history.manifest.records[run_key(RUN)]
    key = index_key(record.base)
    data = history.store.objects[key]
    fields: dict[str, Any] = unpack(data[-record.index_size :])
    former = pack({name: value for name, value in fields.items() if name != "group_rows"} | {"version": 1})
    history.store.objects[key] = data[: -record.index_size] + former
    size = len(history.store.objects[key])
    history.manifest.records[run_key(RUN)] = [replace(record, index_size=len(former), index_object_size=size)]

    rows = all_rows(history.stored, RUN, RowQuery(min_step=32_000, max_step=34_000), limit=1500)
    assert [row.values["a"] for row in rows] == list(range(32_000, 34_000))
