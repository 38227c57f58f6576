"""Records of several small files, whose contents are in one pack (docs/spool.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from runstream.shipper.ledger.upload_gate import Outcome
from runstream.shipper.uploads.content import Content
from runstream.shipper.uploads.file_upload import LONGEST_REASON, STAGED, media_type_of
from runstream_schemas.events import FileContent
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.stored.objects import object_key

_SHA256_BYTES = 32


@dataclass(eq=False)
class GroupUpload:
    """A record of several files while they are uploaded; ``finish`` is called with the outcome."""

    run_folder: Path
    record: Mapping[str, Any]
    finish: Callable[[Outcome], None]
    #: Why none can be uploaded.
    _lost: str = ""
    _sizes: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        files = self.record.get("files")
        described = files if isinstance(files, list) and all(map(_is_described, files)) else []
        if not described or STAGED.fullmatch(str(self.record.get("staged"))) is None:
            self._lost = "the record of several files is damaged"
        self._sizes = [file[2] for file in described]

    @property
    def count(self) -> int:
        """Number of the files."""
        return len(self._sizes)

    @property
    def known_size(self) -> int:
        """Bytes of the files."""
        return sum(self._sizes)

    @cached_property
    def contents(self) -> Sequence[Content]:
        """What is uploaded; made when it is needed, since thousands may wait."""
        if self._lost:
            return ()
        pack = f"{self.run_folder}/{self.record['staged']}"
        return [
            Content(path=pack, label=path, offset=offset, size=size, sha256=sha256, lost=_problem(path))
            for path, offset, size, sha256 in self.record["files"]
        ]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self._lost) or all(one.settled for one in self.contents)

    def lose(self, reason: str) -> None:
        """Give up."""
        self._lost = reason

    def outcome(self, entity: str, kept_until: float) -> Outcome:
        """Return the outcome of a settled upload: the files that are stored, and the reasons of the others."""
        staged = (str(self.record.get("staged")),)
        lost = self._lost or next((one.lost for one in self.contents if one.lost), "")
        if self._lost or all(one.lost for one in self.contents):
            return Outcome(lost=lost[:LONGEST_REASON], staged=staged)
        return Outcome({"files": [_file(one, entity) for one in self.contents]}, staged=staged, kept_until=kept_until)


def _file(content: Content, entity: str) -> FileContent:
    if content.lost:
        reason = content.lost[:LONGEST_REASON].encode(errors="backslashreplace").decode()
        return FileContent(path=content.label, reason=reason)
    sha256, label = content.sha256, content.label
    return FileContent(label, content.size, sha256, object_key(entity, sha256), media_type_of(label))


def _is_described(file: Any) -> bool:
    match file:
        case [str(), int(), int(), bytes(sha256)]:
            return len(sha256) == _SHA256_BYTES
    return False


def _problem(path: str) -> str:
    problem = problem_of_name(path)
    return f"invalid name of a file {path[:200]}: {problem}" if problem else ""
