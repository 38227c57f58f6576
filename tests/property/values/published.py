"""What a writer's spool becomes on the way to the consumers: assembled, encoded and decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.assembly.assembler import Assembler
from runstream.assembly.events import Envelope, create_messages
from runstream.spool.reader import SpoolReader
from runstream_schemas.codec import decode
from runstream_schemas.events import Role, Writer
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runstream_schemas.events import Event

ENVELOPE = Envelope(RunPath(entity="e", project="p", run_id="r"), Writer(id=bytes(16), role=Role.PRIMARY))


def events_of(spool: Path) -> Iterator[Event]:
    """Yield the events of a writer, as a consumer decodes them."""
    reader, assembler = SpoolReader(spool), Assembler({}, block_bytes=1 << 19, block_rows=10_000)
    while records := reader.read(ended=True):
        assembler.add(records)
    assembler.close_row()
    reader.close()
    for block in assembler.blocks():
        for message in create_messages(block, ENVELOPE, DEFAULT_LIMITS, now=0):
            yield decode(message.topic, message.payload)
