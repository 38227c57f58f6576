"""Values that only all appends of a step make too large for a message: kept as files of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runstream.assembly.block import Block
from runstream.files.staging import Staging
from runstream.files.value_file import ValueFile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LargeValues:
    """Keeps values of rows as files; ``record`` appends to the shipper's own spool."""

    run_folder: Path
    record: Callable[[Mapping[str, Any]], None]
    #: Names of the files that this process has recorded: a row that is sent again has the same.
    _kept: set[str] = field(default_factory=set)

    def keep(self, writer: bytes, block: Block, path: Sequence[str], value: Any) -> dict[str, Any] | None:
        """Return the reference to the file with a value of the only row of a block; None if it cannot be kept."""
        file = ValueFile.of_row((writer, block.seq, block.steps[0]), path, value)
        if file.name in self._kept:
            return file.reference
        try:
            staged = Staging(self.run_folder).write(file.data)
            self.record({"path": file.name, "staged": staged.name, "size": staged.size, "media_type": file.media_type})
        except OSError as error:  # the disk is full
            log.warning("cannot keep the value %s of a row as a file: %s", ".".join(path), error)
            return None
        self._kept.add(file.name)
        return file.reference
