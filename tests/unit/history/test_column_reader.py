"""Reading some columns of a block without decoding the others."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from runstream_consumers.history.column_reader import ColumnReader
from runstream_schemas.codec import encode
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.framing import HEAD_BYTES
from tests.integration.runtime.events import block, run_in, writer

if TYPE_CHECKING:
    from runstream_schemas.events import ColumnType


def test_columns_after_the_wanted_ones_are_not_looked_at() -> None:
    """Of 5,000 columns, those up to the wanted one are examined, once for all blocks."""
    examined = []

    def accepts(path: tuple[str, ...], _kind: ColumnType) -> bool:
        examined.append(path)
        return path == ("k9",)

    rows = [{f"k{number}": 0.5 for number in range(5000)}]
    message = encode(block(run_in(0), writer(1), 0, 1, rows=rows))
    reader = ColumnReader(accepts, ["k9"])
    # Other names begin with these letters; the last of them is the end.
    assert [column.path for column in reader.read(message).columns] == [("k9",)]
    assert len(examined) == len(set(examined)) == 1000
    assert [column.path for column in reader.read(message).columns] == [("k9",)]
    assert len(examined) == 1000
    assert ColumnReader(accepts, ["other"]).read(message).columns == ()
    assert len(examined) == 1000


def test_name_within_a_value_is_no_column() -> None:
    """Bytes of a number or a text that look like a wanted column are not read as one."""
    looks = struct.unpack("<d", b"\x02\x02a\x00\x02\x00\x10\x00")[0]
    message = encode(block(run_in(0), writer(1), 0, 1, rows=[{"x": looks, "y": "\x02\x02a\x00\x02", "z": 1.0}]))
    assert ColumnReader(lambda path, _: path == ("a",), ["a"]).read(message).columns == ()


def test_array_in_sized_blocks_is_read() -> None:
    """Avro writers of other languages divide arrays into blocks that begin with their size."""
    message = encode(block(run_in(0), writer(1), 0, 1, rows=[{"a": 1.5, "b": 2.5}]))
    first, second = (b"\x02\x02" + name + b"\x00\x02\x00\x10" + struct.pack("<d", value) + b"\x00"
                     for name, value in ((b"a", 1.5), (b"b", 2.5)))  # fmt: skip
    before, after = message.split(b"\x04" + first + second + b"\x00")
    size = bytes([2 * len(first)])
    divided = before + b"\x01" + size + first + b"\x01" + size + second + b"\x00" + after
    for wanted in ("a", "b"):
        (column,) = ColumnReader(lambda path, _, wanted=wanted: path == (wanted,), [wanted]).read(divided).columns  # type: ignore[misc]
        assert column.values is not None
        assert column.values.tolist() == [1.5 if wanted == "a" else 2.5]


def test_cut_block_is_malformed() -> None:
    """A message that ends within a column is an error, not a shorter block."""
    message = encode(block(run_in(0), writer(1), 0, 1, rows=[{"a": 1.5, "b": [1, 2]}]))
    for end in range(HEAD_BYTES, message.index(b"[1,2]") + 3, 7):
        with pytest.raises(MalformedEvent):
            ColumnReader(lambda *_: True).read(message[:end])
