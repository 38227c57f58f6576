"""Reading parts of objects, and what is found if they are damaged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.layout import PartRecord, base_of, object_keys
from runstream_consumers.archive.rows import gather
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.archive.storage.object_file import ObjectFile
from runstream_consumers.history.selection import EVERY_COLUMN
from runstream_consumers.object_store.store import ObjectDamaged, StoreUnavailable
from runstream_schemas.events import Stream
from runstream_schemas.stored.objects import parse_key
from runstream_schemas.topics import RunPath
from tests.property.archive.histories import MemoryStore, hot_block, logged, store_part

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUN = RunPath(entity="a=b", project="c d", run_id="é?")
_PART = UUID(int=7)


def test_keys_are_folders_by_run_and_no_keys_of_other_objects() -> None:
    """Names are percent-encoded, and the collection of objects does not take a key for one of its own."""
    keys = object_keys(base_of(_RUN, Stream.HISTORY, _PART), 2)
    folder = "lake/entity=a%3Db/project=c%20d/run=%C3%A9%3F/stream=history/"
    assert keys == [
        f"{folder}_{_PART.hex}.index",
        f"{folder}{_PART.hex}-0000.parquet",
        f"{folder}{_PART.hex}-0001.parquet",
    ]
    assert {parse_key(key) for key in keys} == {None}


@given(st.lists(st.tuples(st.integers(0, 199_000), st.integers(0, 1000)), max_size=12), st.integers(1, 4))
def test_ranges_are_read_once(ranges: Sequence[tuple[int, int]], at_once: int) -> None:
    """Every requested byte is that of the object, and none is requested again."""
    data = bytes(number * 7 % 251 for number in range(200_000))
    reads: list[tuple[int, int]] = []

    def fetch(key: str, begin: int, length: int) -> bytes:
        assert key == "key"
        reads.append((begin, length))
        return data[begin : begin + length]

    with ThreadPoolExecutor(2) as threads:
        file = ObjectFile(fetch, "key", len(data), threads)
        for start in range(0, len(ranges), at_once):
            file.load(ranges[start : start + at_once])
        assert all(file.read(*one) == data[one[0] : sum(one)] for one in ranges)
        count = len(reads)
        file.load(ranges)
    assert len(reads) == count <= len(ranges)


_RANGES = st.lists(st.tuples(st.integers(0, 199_000), st.integers(0, 30_000)), min_size=1, max_size=5)


@given(st.lists(st.tuples(st.booleans(), _RANGES), max_size=8))
def test_ranges_that_were_forgotten_are_read_again(changes: Sequence[tuple[bool, list[tuple[int, int]]]]) -> None:
    """What is read is the object whatever was forgotten before, and what was not forgotten is in memory."""
    data = bytes(number * 7 % 251 for number in range(250_000))
    with ThreadPoolExecutor(2) as threads:
        file = ObjectFile(lambda _, begin, length: data[begin : begin + length], "key", len(data), threads)
        for is_read, ranges in [*changes, (True, [(0, 250_000)])]:
            if not is_read:
                file.forget(ranges)
                continue
            file.load(ranges)
            assert all(file.memory[begin : begin + length] == data[begin : begin + length] for begin, length in ranges)
        assert file.used == 250_000
        file.forget([(100_000, 100_000)])
        assert (file.used, file.memory[:100_000], file.memory[200_000:]) == (150_000, data[:100_000], data[200_000:])


def test_a_cache_keeps_what_was_used_last() -> None:
    """Items that were not used for longest are removed once there is too much."""
    cache: Cache[str] = Cache(10)
    cache.put("a", "1", 4)
    cache.put("b", "2", 4)
    assert cache.get("a") == "1"
    cache.put("c", "3", 4)
    assert [cache.get(key) for key in "abc"] == ["1", None, "3"]
    cache.put("a", "4", 40)
    assert [cache.get(key) for key in "abc"] == ["4", None, None]


def _stored(store: MemoryStore) -> PartRecord:
    """Store a part; return its record."""
    _, blocks = logged([(0, range(500), [{"loss": step / 7} for step in range(500)])])
    rows = gather([hot_block(block) for block in blocks])
    base = base_of(_RUN, Stream.HISTORY, _PART)
    encoded = store_part(store, rows, base)
    return PartRecord(
        run=_RUN,
        stream=Stream.HISTORY,
        part=_PART,
        base=base,
        files=1,
        index_object_size=encoded.index.size,
        index_size=encoded.index.footer,
        rows=500,
        points=500,
        columns=1,
        min_step=0,
        max_step=499,
        first_offset=0,
        last_offset=0,
    )


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_bytes_are_found(which: int, place: float) -> None:
    """Other bytes in the index or in what is read of a file are an error that names the object."""
    store = MemoryStore()
    record = _stored(store)
    key = object_keys(record.base, 1)[which]
    data = store.objects[key]
    middle = int(len(data) * place)
    store.objects[key] = data[:middle] + bytes(byte ^ 0x55 for byte in data[middle : middle + 40]) + data[middle + 40 :]
    with pytest.raises(ObjectDamaged, match=key):
        _read(store, record)


def _read(store: MemoryStore, record: PartRecord) -> None:
    part = Archive(store).open(record)
    part.event(part.index.blocks[0], EVERY_COLUMN)


def test_an_archive_without_a_store_says_which_setting_is_missing() -> None:
    """Rows that are in an object store which the API does not know are unavailable, with the name of the setting."""
    with pytest.raises(StoreUnavailable, match="RUNSTREAM_S3_ENDPOINT"):
        Archive(None).open(_stored(MemoryStore()))
