"""A shipper whose records of topic file wait for their uploads: ``gated RUN_DIR UPLOADS``.

The upload of a record is done once a file with the record's path exists in the folder UPLOADS.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.run_folder.folder import RunFolder, lock
from runstream.shipper.__main__ import configure_logging
from runstream.shipper.ledger.upload_gate import Outcome
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.shipper import Shipper, ShipperResult
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from runstream.shipper.ledger.upload_gate import GatedRecord


class FolderGate:
    """A gate that is open for the records whose paths exist in a folder."""

    topics: Collection[Topic] = (Topic.FILE,)
    full = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.load = 0

    def submit(self, record: GatedRecord, finish: Callable[[Outcome], None]) -> None:
        """Begin to look for the file of a record."""
        path = self._folder / record.payload["path"]
        if path.exists():
            finish(Outcome({"size": path.stat().st_size}))
        else:
            asyncio.get_running_loop().call_later(0.05, self.submit, record, finish)


def main() -> int:
    """Deliver the run folder; return 0 if it is complete."""
    configure_logging()
    folder = RunFolder.open(Path(sys.argv[1]))
    lock(folder.path / "shipper.lock")
    shipper = Shipper(folder, os.environ, ShipperSettings(), gate=FolderGate(Path(sys.argv[2])))
    return 0 if asyncio.run(shipper.run()) is ShipperResult.COMPLETE else 1


if __name__ == "__main__":
    sys.exit(main())
