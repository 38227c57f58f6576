"""The shipper as a writer of its run: console lines and samples go through a spool of its own, like all else."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.shipper.writers.process import started
from runstream.spool.format import TopicCode
from runstream.spool.run_folder import write_json
from runstream.spool.writer import DiskPolicy, SpoolWriter

if TYPE_CHECKING:
    from runstream.shipper.writers.process import Host
    from runstream.spool.format import StreamCode
    from runstream.spool.run_folder import RunFolder

_SEGMENT_BYTES = 64 * 1024


class ShipperWriter:
    """Made with its first record; ended with its exit.

    Args:
        folder: The run.
        host: This machine.
        source: Where the rows come from; empty: from the shipper itself.
        policy: What to do when the disk is full.
    """

    def __init__(
        self, folder: RunFolder, host: Host, *, source: str = "", policy: DiskPolicy = DiskPolicy.DROP
    ) -> None:
        self._folder = folder
        self._host = host
        self._source = source
        self._policy = policy
        self._writer: SpoolWriter | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self.id = secrets.token_bytes(16)
        self.ended = False

    @property
    def begun(self) -> bool:
        """Whether there is anything of this writer."""
        return self._writer is not None

    def append(self, stream: StreamCode, step: int, now: int, row: dict[str, Any]) -> None:
        """Append a row.

        Raises:
            OSError: The disk has no room for a first segment.
        """
        self.begin().append_whole_row(stream, step, now, self._encode(row))

    def begin(self) -> SpoolWriter:
        """Be a writer of the run from now on, which is not complete before this one has ended.

        Raises:
            OSError: The disk has no room for a first segment.
        """
        if self._writer is None:
            self._writer = self._make()
            self._writer.append(TopicCode.CONFIG, [["attribute", "set", ["label"], self._folder.info.label]])
        return self._writer

    def change(self, entries: list[list[Any]]) -> None:
        """Append a change of attributes.

        Raises:
            OSError: The disk has no room for a first segment.
        """
        self.begin().append(TopicCode.CONFIG, entries)

    def end(self) -> None:
        """Append the exit, if there is anything to end; a second call does nothing."""
        if self._writer is not None and not self.ended:
            self._writer.append_last({"state": "finished", "exit_code": 0, "signal": 0, "reason": ""})
        self.ended = True

    def _make(self) -> SpoolWriter:
        path = self._folder.writer_folder(self.id)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = {
            "version": 1,
            "role": "shipper",
            "pid": os.getpid(),
            "pid_started": started(os.getpid()),
            "boot_id": self._host.boot_id,
            "created": time.time_ns() // 1000,
            "host": self._host.name,
            "label": self._folder.info.label,
            "continues": [],
            "source": self._source,
        }
        write_json(path / "writer.json", info, durable=False)
        return SpoolWriter(path, self.id, smallest=_SEGMENT_BYTES, policy=self._policy)
