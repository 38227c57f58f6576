"""A run, read from the server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from runstream.public_api.files import File, Files, file_named, upload_file
from runstream.public_api.run_parts.changes import RunChanges
from runstream.public_api.run_parts.exports import RunExports
from runstream.public_api.run_parts.rows import RunRows
from runstream.public_api.run_parts.run_pages import Sweep
from runstream.public_api.run_parts.tables import logged_table
from runstream.public_api.run_parts.value_files import resolved
from runstream.terminal.page_frame import frame_html


class Run(RunChanges, RunRows, RunExports):
    """A run, read and changed through the HTTP API.

    Its document is read once; ``load(force=True)`` reads it again. Metrics, delivery and console are always read again.
    """

    def files(self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50) -> Files:
        """Return the files of the run; see :class:`Files`. Raises ValueError for both names and a pattern."""
        return Files(self._connection, self._address, names, pattern, per_page)

    def file(self, name: str) -> File:
        """Return the file with a name; raises MissingFileError, which is a CommError, if there is none."""
        return file_named(self._connection, self._address, name)

    def upload_file(self, path: str, root: str = ".") -> File:
        """Upload a file to the run under its path relative to ``root``; see :func:`upload_file`."""
        return upload_file(self._connection, self._address, self._entity, path, root)

    def resolve(self, value: Any) -> Any:
        """Return a value, such as a row, with the values that are kept in files; see :func:`resolved`."""
        return resolved(self._connection, self._address, value)

    def table(self, value: Any, root: str | os.PathLike[str] = ".") -> Any:
        """Return the Table that a value of :attr:`summary` or a row names; files go to ``root``; see `logged_table`."""
        return logged_table(self._connection, self._address, value, root)

    @property
    def sweep(self) -> Sweep[Run] | None:
        """The sweep of the run; None if it has none."""
        name = self.sweep_name
        return None if name is None else Sweep(self._connection, type(self), self._entity, self._project, name)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:  # noqa: FBT001, FBT002  # W&B's signature
        """Return HTML with the run's page in a frame.

        Args:
            height: Height of the frame in pixels.
            hidden: Show a button that opens the frame.
        """
        return frame_html(self.url, self.name, height, hidden=hidden)

    _repr_html_ = to_html
