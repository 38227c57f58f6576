"""The journal of imports beside the run folders: what was recorded, from which content, and what is delivered.

One JSON line for each change, the last line of a run counts. A line that a crash tore is ignored: its run is recorded
again, with the same ids.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

JOURNAL_NAME = "imports.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An import of one content of a run."""

    #: Identifies the run of the source and its destination.
    key: str
    fingerprint: str
    #: Name of the run folder; it exists once everything is recorded, and until it is delivered.
    folder: str
    #: The writer of the rows, as hexadecimal digits.
    writer: str
    #: How many records of each kind are recorded, by this import and earlier ones.
    recorded: Mapping[str, int] = field(default_factory=dict)
    #: The writers of earlier imports of the run, whose rows this one hides, and what they recorded.
    earlier: Sequence[str] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    delivered: bool = False


class ImportJournal:
    """Reads and extends the journal of a folder; raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_NAME
        self._entries: dict[str, Entry] = {}
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        for entry in map(_entry, lines):
            if entry is not None:
                self._entries[entry.key] = entry

    def find(self, key: str) -> Entry | None:
        """Return the last entry of a run, or None if it was never recorded."""
        return self._entries.get(key)

    def add(self, entry: Entry) -> None:
        """Append an entry; it survives a crash once this returns."""
        # A line feed first, since a crash may have torn the last line.
        line = b"\n" + json.dumps(asdict(entry)).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._entries[entry.key] = entry

    def note_delivered(self, entry: Entry) -> None:
        """Append that everything of an entry is delivered."""
        self.add(replace(entry, delivered=True))


def _entry(line: bytes) -> Entry | None:
    try:
        found: dict[str, Any] = json.loads(line)
        entry = Entry(**found)
    except (ValueError, TypeError):
        return None
    texts = (entry.key, entry.fingerprint, entry.folder, entry.writer)
    return entry if all(isinstance(text, str) for text in texts) else None
