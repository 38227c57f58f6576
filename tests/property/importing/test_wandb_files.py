"""Files of W&B with any records are read as written; torn and damaged ones lose only what is torn or damaged."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st

from runstream.importing.wandb.conversion import Conversion
from runstream.importing.wandb.framing import HEADER, Unreadable, frames
from runstream.importing.wandb.wire import Message, WireError
from tests.wandb_files import framed, message

SIZES = st.one_of(st.integers(0, 200), st.integers(32_700, 32_800), st.integers(65_480, 65_560))
RECORDS = st.lists(
    st.builds(lambda size, seed: bytes((seed + at) % 251 for at in range(size)), SIZES, st.integers(0, 250))
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FIELDS = st.recursive(
    st.one_of(NUMBERS, st.text(), st.binary()),
    lambda inner: st.dictionaries(st.integers(1, 300), inner, max_size=4),
    max_leaves=10,
)


def read(content: bytes) -> tuple[list[bytes], list[Unreadable]]:
    """Return the records of a file, and the places that cannot be read."""
    file = io.BytesIO(content)
    file.seek(HEADER.size)
    found = [*frames(file)]
    return [one for one in found if isinstance(one, bytes)], [one for one in found if isinstance(one, Unreadable)]


@given(records=RECORDS)
def test_records_of_any_size_are_read_as_written(records: list[bytes]) -> None:
    """Records that end at a block, or span several, are joined."""
    assert read(framed(records)) == (records, [])


@given(records=RECORDS, data=st.data())
def test_a_torn_file_has_the_records_before(records: list[bytes], data: st.DataObject) -> None:
    """A prefix of the records is read; if bytes of a record are left, the place is reported once."""
    content = framed(records)
    cut = data.draw(st.integers(HEADER.size, len(content)))

    found, unreadable = read(content[:cut])

    assert found == records[: len(found)]
    assert len(unreadable) <= 1
    if not unreadable and len(found) < len(records):
        assert len(framed(records[: len(found)])) <= cut < len(framed(records[: len(found) + 1]))
    if unreadable:
        assert unreadable[0].stop == cut


@given(records=RECORDS.filter(any), data=st.data())
def test_a_changed_byte_loses_no_other_block(records: list[bytes], data: st.DataObject) -> None:
    """Every record that is read was written, in order, and those that do not touch the damaged block are all read."""
    content = bytearray(framed(records))
    place = data.draw(st.integers(HEADER.size, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))

    found, _ = read(bytes(content))

    ends = [len(framed(records[: number + 1])) for number in range(len(records))]
    starts = [HEADER.size, *ends]
    block = place // 32_768
    untouched = [
        record
        for record, start, end in zip(records, starts, ends, strict=False)
        if (end - 1) // 32_768 < block or (start // 32_768 > block and (start % 32_768 or start // 32_768 > block))
    ]
    assert _is_subsequence(found, records)
    assert _is_subsequence(untouched, found) or len(found) >= len(untouched)


def _is_subsequence(part: list[bytes], whole: list[bytes]) -> bool:
    remaining = iter(whole)
    return all(one in remaining for one in part)


@given(fields=st.dictionaries(st.integers(1, 300), FIELDS, max_size=5))
def test_messages_are_read_as_written(fields: dict[int, object]) -> None:
    """Numbers keep their signs, texts their characters, and nested messages their fields."""
    found = Message(message(fields))

    for number, value in fields.items():
        if isinstance(value, int):
            assert found.number(number) == value
        elif isinstance(value, str):
            assert found.text(number) == value


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    """Nothing but WireError is raised, and a conversion reports that as damage."""
    with contextlib.suppress(WireError):
        Message(data)
    conversion = Conversion()
    for kind in (2, 3, 5, 7, 8, 10, 12, 13, 17, 18, 26):
        list(conversion.add(message({kind: data})))
    list(conversion.add(data))
    list(conversion.close())
