"""The file of a table: ``*.table.json``, in the form of W&B."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.tables.cells import CellEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runstream.files.staging import StagedFile, Staging
    from runstream.media.base import MediaPlace

_MOST_WITH_SPACES = 10_000
FOLDER, EXTENSION = "table", "table.json"


@dataclass(frozen=True, slots=True)
class TableContent:
    """The content of a file with some rows of a table, which is written in pieces.

    Args:
        before: Fields before the rows, such as ``columns``.
        rows: The rows.
        after: Fields after the rows.
        place: Keeps the files of media in cells.
    """

    before: Mapping[str, Any]
    rows: Sequence[Sequence[Any]]
    place: MediaPlace
    after: Mapping[str, Any]

    def stage(self, staging: Staging) -> StagedFile:
        """Stage the file; raises OSError, and DataError for a cell that cannot be recorded."""
        return staging.write_pieces(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """Yield the file in pieces; raises as :meth:`stage`."""
        # The file of a table in an artifact is that of W&B, byte by byte, unless that would make it slow.
        encoder = CellEncoder(self.place, spaces=self.place.in_artifact and len(self.rows) <= _MOST_WITH_SPACES)
        yield b"{" + encoder.header(dict(self.before)) + encoder.comma + b'"data"' + encoder.colon + b"["
        for number, piece in enumerate(encoder.rows(self.rows)):
            yield encoder.comma + piece if number else piece
        yield b"]" + (encoder.comma + encoder.header(dict(self.after)) if self.after else b"") + b"}"
