"""The cache of downloaded files."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from runstream.download.file_cache import CacheUse, FileCache

if TYPE_CHECKING:
    from pathlib import Path


def put(cache: FileCache, content: bytes, used: float) -> Path:
    """Store content that was used last at a time."""
    path = cache.path_of(hashlib.sha256(content).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (used, used))
    return path


def test_files_that_were_not_used_for_long_are_deleted_first(tmp_path: Path) -> None:
    """The rest is not larger than the limit; finding a file counts as a use."""
    cache = FileCache(tmp_path)
    old, older, new = put(cache, b"a" * 10, 2000), put(cache, b"b" * 10, 1000), put(cache, b"c" * 10, 3000)
    assert cache.use() == CacheUse(files=3, size=30)
    assert cache.find(older.name, 10) == older

    assert cache.shrink(25) == CacheUse(files=1, size=10)

    assert [old.exists(), older.exists(), new.exists()] == [False, True, True]
    assert cache.shrink(25) == CacheUse(files=0, size=0)


@pytest.mark.parametrize("content", [b"x" * 10, b"a" * 9], ids=["changed", "shorter"])
def test_a_damaged_file_is_not_found(tmp_path: Path, content: bytes) -> None:
    """It is deleted, so that it is downloaded again."""
    cache = FileCache(tmp_path)
    path = put(cache, b"a" * 10, 1000)
    path.write_bytes(content)

    assert cache.find(path.name, 10) is None
    assert not path.exists()


def test_parts_of_downloads_are_deleted_after_a_day(tmp_path: Path) -> None:
    """A part that may still grow is kept, whatever the limit."""
    cache = FileCache(tmp_path)
    path = put(cache, b"a", 1000)
    part = path.rename(path.with_name(".one.part"))

    cache.shrink(0, now=1000 + 3600)
    assert part.exists()
    cache.shrink(0, now=1000 + 25 * 3600)
    assert not part.exists()


def test_the_size_is_checked_at_once_only_after_much_was_added(tmp_path: Path) -> None:
    """Within a minute of a check, a few bytes do not cause another; many do."""
    cache = FileCache(tmp_path)
    cache.shrink_if_due(1000, 1)
    path = cache.path_of("ab" * 32)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 2000)

    cache.shrink_if_due(1_000_000, 1)
    assert path.exists()
    cache.shrink_if_due(1000, 2000)
    assert not path.exists()
