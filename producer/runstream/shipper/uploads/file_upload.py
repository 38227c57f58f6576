"""Records of files: what is uploaded for them, and the fields of their events."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from runstream.files.staging import STAGED_NAME
from runstream.shipper.ledger.upload_gate import Outcome
from runstream.shipper.uploads.content import Content, LostError
from runstream.shipper.uploads.encoders import Encoders
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.stored.objects import object_key

#: How long a reason may be, since it is part of an event.
LONGEST_REASON = 500
STAGED = re.compile(rf"{STAGED_NAME}/[A-Za-z0-9._-]+")


@dataclass(slots=True, eq=False)
class FileUpload:
    """A record of topic file while its bytes are uploaded; ``finish`` is called with the outcome."""

    run_folder: Path
    record: Mapping[str, Any]
    finish: Callable[[Outcome], None]
    #: Files in the run folder that are not needed once the event is acknowledged.
    staged: list[str] = field(default_factory=list)
    content: Content = field(init=False)
    #: Bytes, as far as they were known when the record was written.
    known_size: int = field(init=False)
    _encoded: bool = False

    def __post_init__(self) -> None:
        name, size = self.record.get("path"), self.record.get("size")
        label = name if isinstance(name, str) else repr(name)
        self.known_size = size if isinstance(size, int) and size > 0 else 0
        self.content = Content(path=None, label=label, size=self.known_size)
        staged, source = self.record.get("staged"), self.record.get("source")
        if lost := self.record.get("lost"):
            self.content.lost = str(lost)
        elif not isinstance(name, str) or (problem := problem_of_name(name)):
            self.content.lost = f"invalid name of a file {label[:200]}: {'not a text' if name != label else problem}"
        elif isinstance(staged, str) and staged:
            self._begin_staged(staged)
        elif isinstance(source, str) and source:
            self.content.path = source
        else:
            self.content.lost = f"{label}: the record names no content"

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.content.settled

    @property
    def count(self) -> int:
        """Number of the files."""
        return 1

    @property
    def contents(self) -> tuple[Content]:
        """What is uploaded."""
        return (self.content,)

    @property
    def encoded(self) -> bool:
        """Whether the file is made of what is staged."""
        return bool(self.record.get("encode"))

    def lose(self, reason: str) -> None:
        """Give up."""
        self.content.lost = f"{self.content.label}: {reason}"

    def encode(self, encoders: Encoders) -> None:
        """Make the file of what is staged, if that is required; it replaces what is staged."""
        arguments = self.record.get("encode")
        if not isinstance(arguments, dict) or not arguments or self.content.path is None:
            return
        if self._encoded or self.settled:
            return
        path = Path(self.content.path)
        target, draft = path.with_name(f"{path.name}.encoded"), path.with_name(f"{path.name}.tmp")
        self.staged += [f"{STAGED_NAME}/{target.name}", f"{STAGED_NAME}/{draft.name}"]
        if not target.exists():
            try:
                with self.content.open():  # a missing file is reported as such
                    pass
                encoders.encode(path, draft, arguments)
                draft.replace(target)
            except LostError as error:
                self.content.lost = f"cannot encode {self.content.label}: {error}"
                return
        path.unlink(missing_ok=True)  # the training process uses its pages again
        self._encoded = True
        self.content.path = str(target)

    def outcome(self, entity: str, kept_until: float) -> Outcome:
        """Return the outcome of a settled upload."""
        content = self.content
        if content.lost:
            return Outcome(lost=content.lost[:LONGEST_REASON], staged=tuple(self.staged))
        fields = {
            "size": content.size,
            "sha256": content.sha256,
            "object_key": object_key(entity, content.sha256),
            "media_type": self.record.get("media_type") or media_type_of(content.label),
        }
        return Outcome(fields, staged=tuple(self.staged), kept_until=kept_until)

    def _begin_staged(self, staged: str) -> None:
        if STAGED.fullmatch(staged) is None:
            self.content.lost = f"{self.content.label}: invalid name of a staged file {staged[:200]!r}"
            return
        self.content.path = f"{self.run_folder}/{staged}"
        self.staged.append(staged)


def media_type_of(name: str) -> str:
    """Return the media type that the ending of a name implies; empty if it is not known."""
    _, _, endings = name.rpartition("/")[2].lstrip(".").partition(".")
    return _type_of(endings) if endings else ""


@lru_cache(maxsize=1024)
def _type_of(endings: str) -> str:
    return mimetypes.guess_type(f"file.{endings}")[0] or ""
