"""The shipper as a writer of its run: console lines and system samples go through a spool, like everything else."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any

import msgspec

from runstream.run_folder.folder import RunFolder
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.refusals import DiskPolicy
from runstream.spool.writer import SpoolWriter
from runstream_schemas.events import Role

_SEGMENT_BYTES = 64 * 1024


class ShipperWriter:
    """A writer that is created with its first record and ended with its exit.

    ``source`` is where the rows come from; empty for the shipper itself.
    """

    def __init__(self, folder: RunFolder, *, source: str = "", policy: DiskPolicy = DiskPolicy.DROP) -> None:
        self._folder = folder
        self._source = source
        self._policy = policy
        self._writer: SpoolWriter | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self.id = secrets.token_bytes(16)
        self.ended = False

    @property
    def begun(self) -> bool:
        """Whether the writer has been created."""
        return self._writer is not None

    def append(self, stream: StreamCode, step: int, now: int, row: dict[str, Any]) -> None:
        """Append a row."""
        self.begin().append_whole_row(stream, step, now, self._encode(row))

    def begin(self) -> SpoolWriter:
        """Create the writer unless it exists. From then on, the run is not complete before this writer has ended."""
        if self._writer is None:
            label = self._folder.info.label
            path = self._folder.writer_folder(self.id)
            if not path.exists():  # it exists if an earlier attempt got no segment
                self._folder.create_writer(Role.SHIPPER, label, source=self._source, writer=self.id)
            self._writer = SpoolWriter(path, self.id, smallest=_SEGMENT_BYTES, policy=self._policy)
            self._writer.append(TopicCode.CONFIG, [["attribute", "set", ["label"], label]])
        return self._writer

    def restore(self, *, delivered: bool) -> None:
        """Create the spool again if it was deleted before it was delivered; does nothing if that is not possible."""
        if self._writer is not None and not delivered:
            with contextlib.suppress(OSError):
                self._writer.restore()

    def end(self) -> None:
        """Append the exit if the writer was created; a second call does nothing."""
        if self._writer is not None and not self.ended:
            self._writer.append_last({"state": "finished", "exit_code": 0, "signal": 0, "reason": ""})
        self.ended = True
