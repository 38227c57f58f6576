"""The shipper's own spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder
from runstream.shipper.sources.shipper_writer import ShipperWriter
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.reader import segments
from tests.unit.producer.spooled import records, rows

if TYPE_CHECKING:
    from pathlib import Path


def test_spool_that_was_deleted_is_written_again(tmp_path: Path) -> None:
    """What is in the deleted segment and what follows can be read, unless everything was delivered before."""
    folder = RunFolder.create(tmp_path, RunInfo(run_id="r", project="p"))
    writer = ShipperWriter(folder)
    writer.append(StreamCode.CONSOLE, 0, 1, {"text": "first"})
    spool = folder.writer_folder(writer.id)
    for path in spool.glob("*.seg"):
        path.unlink()

    writer.restore(delivered=True)
    assert list(segments(spool)) == []
    writer.restore(delivered=False)
    writer.append(StreamCode.CONSOLE, 1, 2, {"text": "second"})
    writer.end()

    folder.control.close()
    assert [row.values["text"] for row in rows(spool)] == ["first", "second"]
    assert records(spool)[-1].topic == TopicCode.EXIT
