"""Damage to the bytes of a spool causes no crash, no wrong record and no silent loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from runstream.assembly.assembler import Assembler
from runstream.spool.format import Flag, TopicCode
from runstream.spool.reader import SpoolReader, parse
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FLAGS = st.sampled_from([Flag.OPENS | Flag.CLOSES, Flag.OPENS, Flag(0), Flag.CLOSES])
VALUES = st.dictionaries(st.sampled_from("abc"), st.integers(-5, 5) | st.text(max_size=30), max_size=3)


@st.composite
def spools(draw: st.DrawFn) -> SpoolBuilder:
    """Draw the appends of a writer: rows in one or more appends, late rows, other records, perhaps an exit."""
    spool = SpoolBuilder()
    row_open = False
    for number in range(draw(st.integers(1, 25))):
        if draw(st.integers(0, 4)) == 0:
            spool.append([["config", "set", ["k"], number]], topic=TopicCode.CONFIG, flags=0)
            continue
        if row_open and draw(st.integers(0, 3)) == 0:
            spool.append({"n": number, **draw(VALUES)}, flags=Flag.OPENS | Flag.CLOSES | Flag.LATE_ROW)
            continue
        flags = draw(FLAGS)
        if not row_open:
            flags |= Flag.OPENS
        spool.append({"n": number, **draw(VALUES)}, flags=flags)
        row_open = not flags & Flag.CLOSES
    if draw(st.booleans()):
        spool.exit()
    return spool


def assembled(folder: Path, *, limit: int = 1 << 18, restart_after: int = -1) -> tuple[dict[Any, Any], dict[Any, int]]:
    """Return the records of a killed writer by (topic, seq), None for those marked as missing, and the counts."""
    reader, assembler = SpoolReader(folder), Assembler({}, block_bytes=1 << 20, block_rows=100)
    found: dict[Any, Any] = {}
    rounds = 0
    while records := reader.read(ended=True, limit=limit):
        assembler.add(records)
        add(found, assembler)
        rounds += 1
        if rounds == restart_after:
            position, counts = assembler.oldest or reader.position, published(found)
            reader.close()
            reader, assembler = SpoolReader(folder, position), Assembler(counts, block_bytes=1 << 20, block_rows=100)
    assembler.close_row()
    add(found, assembler)
    reader.close()
    return found, {topic: count for topic, count in assembler.counts.items() if count}


def prefixes(spool: SpoolBuilder, folder: Path, key: tuple[int, int]) -> list[Any]:
    """Return the values that a record has for each prefix of the appends."""
    found: list[Any] = []
    for length in range(1, len(spool.records)):
        SpoolBuilder(records=spool.records[:length]).write(folder / f"prefix{length}")
        found.append(assembled(folder / f"prefix{length}")[0].get(key))
    return found


def in_front(spool: SpoolBuilder, seq: int) -> int:
    """Return the row that was opened last before a row, or with it, without late rows."""
    rows = [record for record in parse(b"".join(spool.records), 0, 0, 0).records if record.topic == TopicCode.LOG]
    opened = [row.seq for row in rows if row.flags & Flag.OPENS and not row.flags & Flag.LATE_ROW and row.seq <= seq]
    return max(opened, default=seq)


def published(found: dict[Any, Any]) -> dict[int, int]:
    """Return the first seq of each topic after the records found."""
    return {topic: 1 + max(seq for other, seq in found if other == topic) for topic, _ in found}


def add(found: dict[Any, Any], assembler: Assembler) -> None:
    """Add the blocks of an assembler; a repeated record must equal the earlier one."""
    for block in assembler.blocks():
        for seq in range(block.seq, block.stop):
            value = None if block.reason else block.values[seq - block.seq]
            assert (block.topic, seq) not in found
            found[block.topic, seq] = value


@given(spool=spools(), segments=st.integers(1, 3), limit=st.integers(48, 400))
def test_chunks_and_segments_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, spool: SpoolBuilder, segments: int, limit: int
) -> None:
    """The records are the same for all sizes of segments and chunks."""
    folder = tmp_path_factory.mktemp("spool")
    spool.write(folder / "one")
    spool.write(folder / "many", segments=segments)

    assert assembled(folder / "one") == assembled(folder / "many", limit=limit)


@given(spool=spools(), restart_after=st.integers(1, 10), limit=st.integers(48, 400))
def test_restart_repeats_and_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, spool: SpoolBuilder, restart_after: int, limit: int
) -> None:
    """A new reader and assembler that resume at any moment produce exactly the missing records."""
    folder = tmp_path_factory.mktemp("spool")
    spool.write(folder)

    assert assembled(folder) == assembled(folder, limit=limit, restart_after=restart_after)


@given(spool=spools(), cut=st.integers(0, 3000))
def test_truncated_file_is_a_prefix(tmp_path_factory: pytest.TempPathFactory, spool: SpoolBuilder, cut: int) -> None:
    """From a truncated file, the complete appends are read and nothing else."""
    folder = tmp_path_factory.mktemp("spool")
    spool.write(folder)
    path = folder / "00000000.seg"
    path.write_bytes(path.read_bytes()[:cut])

    records = SpoolReader(folder).read(ended=True)

    ends = [64 + sum(map(len, spool.records[: n + 1])) for n in range(len(spool.records))]
    whole = sum(1 for end in ends if end <= cut)
    # A record of which only the padding is cut off is complete.
    assert len(records) - whole in {0, 1}
    assert list(range(len(records))) == [record.order for record in records]


@given(
    spool=spools(),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=6),
    live=st.booleans(),
)
def test_flipped_bits_produce_no_wrong_record(
    tmp_path_factory: pytest.TempPathFactory,
    spool: SpoolBuilder,
    flips: list[tuple[float, int]],
    live: bool,  # noqa: FBT001 (drawn)
) -> None:
    """With bits flipped, every record is the true one, or marked as missing, or behind the end of a prefix.

    Where the end of the prefix parts the appends of the last row, or of the one in front of late rows, that row has
    those before it.
    """
    folder = tmp_path_factory.mktemp("spool")
    spool.write(folder / "true")
    truth, _ = assembled(folder / "true")
    spool.write(folder / "flipped")
    path = folder / "flipped" / "00000000.seg"
    data = bytearray(path.read_bytes())
    used = 64 + sum(map(len, spool.records))
    for place, bit in flips:
        data[min(int(place * used), used - 1)] ^= 1 << bit
    path.write_bytes(data)
    if live:
        SpoolReader(folder / "flipped").read(ended=False)

    found, counts = assembled(folder / "flipped")

    last = (TopicCode.LOG, in_front(spool, counts.get(TopicCode.LOG, 0) - 1))
    wrong = {
        key: value
        for key, value in found.items()
        if value is not None and truth.get(key) != value and not (key == last and value in prefixes(spool, folder, key))
    }
    gaps = {
        (topic, seq) for topic, count in counts.items() for seq in range(count) if topic != TopicCode.EXIT
    } - found.keys()
    assert (wrong, gaps) == ({}, set())
