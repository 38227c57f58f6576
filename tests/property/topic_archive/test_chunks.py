"""Chunks keep messages unchanged, and topics are trimmed only where chunks have every message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.archiver.trimming import trim_point
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage, ChunkDamaged, decode_chunk, encode_chunk
from runstream_consumers.runtime.topic_archive.manifest import Chunk

_BYTES = st.none() | st.binary(max_size=60)
_HEADERS = st.lists(st.tuples(st.text(max_size=8), _BYTES), max_size=3).map(tuple)
_TIMES = st.integers(min_value=-1, max_value=2**52)


@st.composite
def _messages(draw: st.DrawFn) -> list[ArchivedMessage]:
    offsets = sorted(draw(st.sets(st.integers(min_value=0, max_value=2**62), min_size=1, max_size=20)))
    return [
        ArchivedMessage(offset, draw(_TIMES), draw(st.sampled_from([0, 1])), draw(_BYTES), draw(_BYTES), draw(_HEADERS))
        for offset in offsets
    ]


@given(_messages())
def test_messages_are_read_as_they_were_written(messages: list[ArchivedMessage]) -> None:
    """Offset, time, key, value and headers are equal, also if null or empty, and equal messages are equal bytes."""
    data = encode_chunk(messages)
    assert list(decode_chunk(data)) == messages
    assert encode_chunk(list(decode_chunk(data))) == data
    purged = [message.purged() for message in messages]
    assert list(decode_chunk(encode_chunk(purged))) == purged


@given(st.lists(st.integers(min_value=0, max_value=5), max_size=8), st.data())
def test_a_trim_ends_where_the_archive_lacks_a_message(widths: list[int], data: st.DataObject) -> None:
    """Every offset below the point is in a chunk, below the archived position, and appended before the time."""
    chunks: list[Chunk] = []
    offset = data.draw(st.integers(min_value=0, max_value=3))
    for width in widths:
        offset += data.draw(st.sampled_from([0, 0, 0, 2]))  # offsets that were deleted before they were archived
        if width:
            chunks.append(_chunk(offset, offset + width, last_time=data.draw(st.integers(min_value=0, max_value=9))))
        offset += width
    first, archived, before = (data.draw(st.integers(min_value=0, max_value=limit)) for limit in (offset, offset, 10))
    own = [chunk for chunk in chunks if chunk.stop > first]
    until = trim_point(own, first, archived, before)
    having = {at: chunk for chunk in own for at in range(chunk.first, chunk.stop)}
    assert all(having[at].last_time < before and having[at].stop <= archived for at in range(first, until))
    following = having.get(until)
    assert following is None or following.last_time >= before or following.stop > archived


def test_other_bytes_are_no_chunk() -> None:
    """A truncated file and a flipped byte raise ChunkDamaged."""
    data = encode_chunk([ArchivedMessage(0, 0, 1, None, b"value" * 100)])
    for damaged in (b"", data[:-9], data[: len(data) // 2] + data[len(data) // 2 + 1 :]):
        with pytest.raises(ChunkDamaged):
            list(decode_chunk(damaged))


def _chunk(first: int, stop: int, *, last_time: int) -> Chunk:
    return Chunk(
        topic="t",
        partition=0,
        first=first,
        stop=stop,
        key=f"{first}",
        size=1,
        sha256=bytes(32),
        messages=stop - first,
        first_time=0,
        last_time=last_time,
        runs=(),
    )
