"""The index of a part: an object that begins with the levels of the pyramid and ends with what is read before all else.

That is: the blocks of the part, its columns with their places in the files, and where each level of each metric is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import GROUP_ROWS, Directory
from runstream_consumers.archive.part_blocks import PartBlocks
from runstream_consumers.archive.pyramid.buckets import LEVELS, Buckets, buckets_of
from runstream_consumers.archive.pyramid.level_codec import decode_level, encode_level
from runstream_consumers.archive.pyramid.levels import Level, level_of
from runstream_consumers.archive.rows import ColumnValues, PartRows
from runstream_consumers.archive.storage.codec import IndexDamaged, pack, pack_numbers, unpack, unpack_numbers
from runstream_schemas.events import ColumnType, Role, Writer

_VERSION, _VERSIONS = 2, (1, 2)
#: Rows of a row group of parts whose index does not have it: those of version 1.
_FORMER_GROUP_ROWS = 32_768
#: A part has the levels of which it has at least so many buckets' rows.
_FEWEST_BUCKETS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSize:
    """The size of a Parquet file, and of the metadata at its end."""

    size: int
    footer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartIndex:
    """The index of a part."""

    rows: int
    #: Rows of a row group of the files.
    group_rows: int
    #: Whether no row is late with respect to others of the part and those before: of one writer, by ascending steps.
    is_ascending: bool
    writers: Sequence[Writer]
    blocks: PartBlocks
    directory: Directory
    files: Sequence[FileSize]
    #: Buckets by level, finest first; fewer than LEVELS if the part has few rows.
    buckets: Sequence[Buckets]
    #: For each level, begin and end of the bytes of each column; equal for columns that are not numbers.
    places: Sequence[NDArray[np.int64]]

    def place(self, level: int, column: int) -> tuple[int, int]:
        """Return the beginning and the length of the bytes of a level of a column."""
        begin, end = self.places[level][column].tolist()
        return begin, end - begin

    def decode(self, level: int, data: bytes) -> Level:
        """Return a level from its bytes."""
        return decode_level(data, self.buckets[level])


@dataclass(slots=True)
class IndexWriter:
    """Builds the object of an index: the levels of the pyramid as they are made, then the index."""

    rows: PartRows
    directory: Directory
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def object(self, files: Sequence[FileSize]) -> tuple[bytes, int]:
        """Return the bytes of the object, and how many of them, at its end, are the index."""
        buckets = _all_buckets(self.rows)
        places = [np.zeros((len(self.directory.columns), 2), dtype=np.int64) for _ in buckets]
        columns = [list(_levels(self.rows, self.rows.columns[column], buckets)) for column in self.directory.columns]
        # The coarsest levels are next to the index, with which they are read.
        for level, of_level in enumerate(places):
            for number, levels in enumerate(columns):
                data = levels[level] if levels else b""
                of_level[number] = self._size, self._size + len(data)
                self._parts.append(data)
                self._size += len(data)
        index = pack(self._fields(files, buckets, places))
        return b"".join([*self._parts, index]), len(index)

    def _fields(self, files: Sequence[FileSize], buckets: Sequence[Buckets], places: Sequence[Any]) -> dict[str, Any]:
        directory = self.directory
        return {
            "version": _VERSION,
            "rows": len(self.rows),
            "group_rows": GROUP_ROWS,
            "is_ascending": _is_ascending(self.rows),
            "writers": [[one.id, one.role.value, list(one.continues)] for one in self.rows.writers],
            "blocks": pack_numbers(self.rows.blocks.arrays()),
            "paths": [path for path, _ in directory.columns],
            "types": [kind.value for _, kind in directory.columns],
            "names": directory.names,
            "ranks": directory.ranks,
            "counts": directory.counts,
            "files": [[one.size, one.footer] for one in files],
            "buckets": [pack_numbers(level.arrays()) for level in buckets],
            "places": [pack_numbers({"places": level.reshape(-1)}) for level in places],
        }


def read_index(data: bytes) -> PartIndex:
    """Return the index in the bytes at the end of its object; raises IndexDamaged."""
    fields = unpack(data)
    if not isinstance(fields, dict) or fields.get("version") not in _VERSIONS:
        raise IndexDamaged("An index of the archive has an unknown version: run a newer Runstream")
    columns = [(tuple(path), ColumnType(kind)) for path, kind in zip(fields["paths"], fields["types"], strict=True)]
    return PartIndex(
        rows=fields["rows"],
        group_rows=fields.get("group_rows", _FORMER_GROUP_ROWS),
        is_ascending=fields.get("is_ascending", False),
        writers=[Writer(id=key, role=Role(role), continues=tuple(earlier)) for key, role, earlier in fields["writers"]],
        blocks=PartBlocks.from_arrays(unpack_numbers(fields["blocks"])),
        directory=Directory(columns, fields["names"], fields["ranks"], fields["counts"]),
        files=[FileSize(size=size, footer=footer) for size, footer in fields["files"]],
        buckets=[Buckets.from_arrays(unpack_numbers(level)) for level in fields["buckets"]],
        places=[unpack_numbers(level)["places"].reshape(-1, 2) for level in fields["places"]],
    )


def _is_ascending(rows: PartRows) -> bool:
    """Return whether no row is late: below the greatest step before it, negative, or at the step of another one."""
    steps, blocks = rows.steps, rows.blocks
    is_after = bool((blocks.first_step > blocks.greatest_before).all())
    return len(rows.writers) == 1 and int(steps[0]) >= 0 and is_after and bool((steps[1:] > steps[:-1]).all())


def _all_buckets(rows: PartRows) -> list[Buckets]:
    sizes = [size for size in LEVELS if len(rows) >= _FEWEST_BUCKETS * size]
    return [buckets_of(rows.writer, rows.steps, rows.times, rows.offsets, size) for size in sizes]


def _levels(rows: PartRows, column: ColumnValues, buckets: Sequence[Buckets]) -> Iterator[bytes]:
    """Yield the bytes of each level of a column, nothing if it is not one of numbers."""
    if column.values is None:
        return
    index = np.arange(len(rows)) if column.rows is None else column.rows
    steps, times = (rows.steps, rows.times) if column.rows is None else (rows.steps[index], rows.times[index])
    values = column.values.astype(np.float64)
    for level in buckets:
        yield encode_level(level_of(level, index, steps, times, values), level)
