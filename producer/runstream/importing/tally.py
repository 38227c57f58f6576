"""What was imported of a run and what was not, as counts and reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runstream.importing.records import (
    Alert,
    Config,
    Content,
    Damage,
    Line,
    MetricDefinition,
    NotImported,
    Record,
    Row,
    Sample,
    StoredArtifact,
    StoredFile,
    Summary,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Mapping[type, str] = {
    Row: "rows",
    Sample: "system samples",
    Line: "console lines",
    Config: "config values",
    Summary: "summary values",
    MetricDefinition: "metric definitions",
    Alert: "alerts",
    StoredArtifact: "artifacts",
}
#: Reasons and damaged places that are listed; further ones are counted.
_MOST = 50


@dataclass(slots=True)
class Tally:
    """Counts of what was recorded, of what was not, with the reasons, and of damaged places."""

    imported: Counter[str] = field(default_factory=Counter)
    #: By what, and why.
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    damage: list[str] = field(default_factory=list)
    damaged: int = 0
    #: What was recorded in another form than the source has it.
    notes: Counter[str] = field(default_factory=Counter)

    def leave_out(self, what: str, reason: str, count: int = 1) -> None:
        """Count something that is not imported."""
        if (what, reason) not in self.left_out and len(self.left_out) >= _MOST:
            reason = "for other reasons"
        self.left_out[what, reason] += count

    def note_damage(self, text: str) -> None:
        """Count a damaged place."""
        self.damaged += 1
        if len(self.damage) < _MOST:
            self.damage.append(text)

    def note(self, text: str) -> None:
        """Count a value that is recorded in another form."""
        if text in self.notes or len(self.notes) < _MOST:
            self.notes[text] += 1

    def add(self, other: Tally) -> None:
        """Add what another tally has."""
        self.imported.update(other.imported)
        self.left_out.update(other.left_out)
        self.notes.update(other.notes)
        self.damage += other.damage
        self.damaged += other.damaged

    def count(self, record: Record) -> None:
        """Count a record as if it were recorded."""
        match record:
            case NotImported():
                self.leave_out(record.what, record.reason, record.count)
            case Damage():
                self.note_damage(record.text)
            case Config() | Summary():
                self.imported[_NAMES[type(record)]] += len(record.values)
            case StoredFile():
                self.imported["files"] += 1
                self.imported["bytes of files"] += record.path.stat().st_size
            case Content():
                self.imported["files"] += 1
                self.imported["bytes of files"] += len(record.data)
            case _ if type(record) in _NAMES:
                self.imported[_NAMES[type(record)]] += 1

    @property
    def whole(self) -> bool:
        """Whether nothing was left out and nothing is damaged."""
        return not self.left_out and not self.damaged

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        left_out = [{"what": what, "reason": why, "count": count} for (what, why), count in self.left_out.items()]
        notes = [{"text": text, "count": count} for text, count in self.notes.items()]
        return {"imported": dict(self.imported), "not_imported": left_out, "damage": self.damage, "notes": notes}
