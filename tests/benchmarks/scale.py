"""How much a benchmark does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes for one run of the benchmarks."""

    #: Folder for whatever they write; on the file system that is to be measured.
    folder: Path
    #: Where the environment of the peers lies, or is made.
    peers: Path
    #: A few seconds each, to see that they work; figures are rough.
    quick: bool = False
    #: Make the peers' environment if it is missing (needs a package index).
    install: bool = False

    def of(self, full: int, quick: int) -> int:
        """Return the size of a full or a quick run."""
        return quick if self.quick else full
