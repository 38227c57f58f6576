"""The size of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes for one run of the benchmarks."""

    #: The folder for all files, on the file system to be measured.
    folder: Path
    #: The virtual environment of the peers.
    peers: Path
    #: A few seconds each, to check that they work; figures are rough.
    quick: bool = False
    #: Create the environment of the peers if it is missing (requires a package index).
    install: bool = False

    def of(self, full: int, quick: int) -> int:
        """Return the size for a full or a quick run."""
        return quick if self.quick else full
