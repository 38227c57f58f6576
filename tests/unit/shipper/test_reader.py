"""Reading a spool that is complete, growing, truncated or damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runstream.spool.reader import Position, SpoolReader
from tests.unit.shipper.spools import SpoolBuilder, record_bytes

if TYPE_CHECKING:
    from pathlib import Path


def values(reader: SpoolReader, *, ended: bool = True, limit: int = 1 << 18) -> list[Any]:
    """Return the payloads of all records."""
    found: list[Any] = []
    while records := reader.read(ended=ended, limit=limit):
        found.extend(msgspec.msgpack.decode(record.payload) for record in records)
    return found


def built(count: int) -> SpoolBuilder:
    """Return a spool of rows {"x": 0}, {"x": 1} and so on."""
    spool = SpoolBuilder()
    for number in range(count):
        spool.append({"x": number})
    return spool


def test_reads_all_segments_in_order(tmp_path: Path) -> None:
    """Records are read in the order of their appends, across segments, in chunks of any size."""
    built(100).write(tmp_path, segments=4)

    assert [{"x": number} for number in range(100)] == values(SpoolReader(tmp_path), limit=200)


def test_empty_folder_has_no_records(tmp_path: Path) -> None:
    """A writer that has written nothing yet has no records, however often it is read."""
    reader = SpoolReader(tmp_path)

    assert (reader.read(ended=False), reader.read(ended=True)) == ([], [])


def test_sees_what_is_appended_later(tmp_path: Path) -> None:
    """A zero length means that nothing is written yet; what is written later is read."""
    spool = built(3)
    spool.write(tmp_path)
    reader = SpoolReader(tmp_path)

    before = values(reader, ended=False)
    spool.append({"x": "later"})
    spool.write(tmp_path)

    assert (before, values(reader, ended=False)) == ([{"x": 0}, {"x": 1}, {"x": 2}], [{"x": "later"}])


def test_waits_for_an_incomplete_record(tmp_path: Path) -> None:
    """At the end of a running writer's spool, a record with a wrong checksum is still being written."""
    spool = built(3)
    spool.write(tmp_path)
    path = tmp_path / "00000000.seg"
    whole = path.read_bytes()
    end = 64 + sum(map(len, spool.records))
    path.write_bytes(whole[: end - 8] + b"\xff" * 8 + whole[end:])
    reader = SpoolReader(tmp_path)

    torn = values(reader, ended=False)
    path.write_bytes(whole)

    assert (torn, values(reader, ended=False)) == ([{"x": 0}, {"x": 1}], [{"x": 2}])


def test_incomplete_record_of_an_exited_writer_is_cut_off(tmp_path: Path) -> None:
    """An incomplete record at the end of the spool of an exited writer is cut off, and nothing before it."""
    spool = built(3)
    spool.write(tmp_path)
    path = tmp_path / "00000000.seg"
    path.write_bytes(path.read_bytes()[: 64 + sum(map(len, spool.records)) - 8])

    assert values(SpoolReader(tmp_path)) == [{"x": 0}, {"x": 1}]


def test_continues_after_damage(tmp_path: Path) -> None:
    """After damage, reading continues with the next valid record; the gap is visible in the orders."""
    spool = built(10)
    spool.records[4] = b"\xa5" * len(spool.records[4])
    spool.write(tmp_path)
    reader = SpoolReader(tmp_path)

    orders = [record.order for record in reader.read(ended=True)] + [record.order for record in reader.read(ended=True)]

    assert ([0, 1, 2, 3, 5, 6, 7, 8, 9], len(spool.records[4])) == (orders, reader.damaged_bytes)


def test_zeroed_length_loses_one_record(tmp_path: Path) -> None:
    """A zeroed length hides one record of a finished segment, not those after it."""
    spool = built(10)
    spool.records[4] = bytes(4) + spool.records[4][4:]
    spool.write(tmp_path)

    assert [{"x": number} for number in range(10) if number != 4] == values(SpoolReader(tmp_path))


def test_lost_segment_is_a_gap(tmp_path: Path) -> None:
    """If a segment is missing, reading continues with the next."""
    built(30).write(tmp_path, segments=3)
    (tmp_path / "00000001.seg").unlink()

    assert [{"x": number} for number in (*range(10), *range(20, 30))] == values(SpoolReader(tmp_path))


def test_damaged_segment_header_loses_nothing(tmp_path: Path) -> None:
    """Records are read even if the header of their segment is damaged."""
    built(5).write(tmp_path)
    path = tmp_path / "00000000.seg"
    path.write_bytes(bytes(64) + path.read_bytes()[64:])

    assert [{"x": number} for number in range(5)] == values(SpoolReader(tmp_path))


def test_begins_at_a_position(tmp_path: Path) -> None:
    """Reading begins at a position, as after a restart."""
    built(10).write(tmp_path, segments=2)
    reader = SpoolReader(tmp_path)
    positions = [record.position for record in reader.read(ended=True)]

    later = SpoolReader(tmp_path, positions[3])

    assert [{"x": number} for number in range(3, 10)] == values(later)


def test_begins_at_a_damaged_position(tmp_path: Path) -> None:
    """If the record at which reading begins is damaged, reading continues with the next."""
    spool = built(10)
    spool.write(tmp_path, segments=2)
    position = SpoolReader(tmp_path).read(ended=True)[3].position
    path = tmp_path / "00000000.seg"
    data = bytearray(path.read_bytes())
    data[position.offset + 50] ^= 1
    path.write_bytes(data)

    assert values(SpoolReader(tmp_path, position)) == [{"x": number} for number in range(4, 10)]


def test_begins_at_the_next_segment_if_the_first_is_deleted(tmp_path: Path) -> None:
    """If the segment of the position was deleted, reading begins at the next one."""
    built(10).write(tmp_path, segments=2)
    (tmp_path / "00000000.seg").unlink()

    assert [{"x": number} for number in range(5, 10)] == values(SpoolReader(tmp_path, Position(0, 64)))


def test_reads_a_record_longer_than_the_chunk(tmp_path: Path) -> None:
    """A record that is longer than a chunk is read completely."""
    spool = SpoolBuilder()
    spool.append({"text": "a" * 5000})
    spool.append({"x": 1})
    spool.write(tmp_path)

    assert values(SpoolReader(tmp_path), limit=512) == [{"text": "a" * 5000}, {"x": 1}]


@pytest.mark.parametrize("padding", range(8))
def test_record_inside_a_string_is_not_a_record(tmp_path: Path, padding: int) -> None:
    """Bytes of a record within a damaged payload are ignored if their order is not possible."""
    spool = SpoolBuilder()
    spool.append({"x": 0})
    inner = record_bytes(msgspec.msgpack.encode({"fake": True}), order=500, seq=500)
    spool.append({"padding": "x" * padding, "inner": inner})
    spool.append({"x": 2})
    spool.records[1] = b"\x40\x01" + spool.records[1][2:]
    spool.write(tmp_path)

    assert values(SpoolReader(tmp_path)) == [{"x": 0}, {"x": 2}]


def test_repeated_records_are_skipped(tmp_path: Path) -> None:
    """A record whose order was read before, as after a failed copy, is skipped."""
    spool = built(4)
    spool.records = [*spool.records[:2], spool.records[1], *spool.records[2:]]
    spool.write(tmp_path)

    assert [{"x": number} for number in range(4)] == values(SpoolReader(tmp_path))


def test_segment_that_grew_after_its_end_is_read_again(tmp_path: Path) -> None:
    """A record that a signal handler appended when the next segment appeared is found by its gap."""
    spool = built(3)
    spool.write(tmp_path, segments=3)
    whole = (tmp_path / "00000001.seg").read_bytes()
    (tmp_path / "00000001.seg").write_bytes(whole[:64].ljust(len(whole), b"\0"))
    last = (tmp_path / "00000002.seg").read_bytes()
    (tmp_path / "00000002.seg").write_bytes(last[:64].ljust(len(last), b"\0"))
    reader = SpoolReader(tmp_path)
    before = values(reader, ended=False)

    (tmp_path / "00000001.seg").write_bytes(whole)
    (tmp_path / "00000002.seg").write_bytes(last)

    assert before == [{"x": 0}]
    assert values(reader, ended=False) == [{"x": 1}, {"x": 2}]
