"""Where the writers of a run folder are made, each with its first record, before readers see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream.spool.format import TopicCode
from runstream.spool.writer import SpoolWriter
from runstream.tracking.summary.local_summary import LocalSummary
from runstream.tracking.values.entries import recordable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from runstream.run_folder.folder import RunFolder
    from runstream.spool.refusals import DiskPolicy
    from runstream.tracking.rows.row_log import RowLog
    from runstream.tracking.values.encoder import ValueEncoder
    from runstream.tracking.values.entries import ConfigEntry
    from runstream_schemas.events import Role


@dataclass(frozen=True, slots=True)
class MadeWriter:
    """A writer of this process, and the summary of its records."""

    id: bytes
    writer: SpoolWriter
    summary: LocalSummary


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a forked child continues with in place of what belongs to its parent."""

    made: MadeWriter
    label: str
    history: RowLog
    #: Replaces a lock that another thread of the parent may have held at the fork.
    ending: threading.RLock


class WriterPlace:
    """Makes writers in a run folder. ``report`` is called with a message, and how many records were dropped."""

    def __init__(
        self,
        folder: RunFolder,
        policy: DiskPolicy,
        encoder: ValueEncoder,
        report: Callable[[str, int], None],
        *,
        relative: bool,
    ) -> None:
        self._folder = folder
        self._policy = policy
        self._encoder = encoder
        self._report = report
        self._relative = relative

    def draft(
        self, role: Role, label: str, first: Sequence[ConfigEntry], continues: tuple[bytes, ...] = ()
    ) -> MadeWriter:
        """Return a new writer with its first record, which readers do not see yet; raises OSError."""
        path, identifier = self._folder.draft_writer(role, label, continues=continues, relative=self._relative)

        def report(text: str) -> None:
            self._report(text, writer.dropped)

        writer = SpoolWriter(path, identifier, policy=self._policy, report=report)
        for record in recordable(first, self._encoder, "config"):
            writer.append(TopicCode.CONFIG, record)
        return MadeWriter(identifier, writer, LocalSummary(self._folder.writer_folder(identifier), identifier, role))

    def publish(self, made: MadeWriter) -> None:
        """Let readers see a writer; a second call does nothing. Raises OSError."""
        made.writer.move(self._folder.publish_writer(made.id))
