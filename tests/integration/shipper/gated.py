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
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.shipper import Shipper, ShipperResult
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Collection

    from runstream.shipper.ledger.upload_gate import GatedRecord


class FolderGate:
    """A gate that is open for the records whose paths exist in a folder."""

    topics: Collection[Topic] = (Topic.FILE,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ready(self, record: GatedRecord) -> bool:
        """Whether the upload of a record is done."""
        return self._folder.joinpath(record.payload["path"]).exists()


def main() -> int:
    """Deliver the run folder; return 0 if it is complete."""
    configure_logging()
    folder = RunFolder.open(Path(sys.argv[1]))
    lock(folder.path / "shipper.lock")
    shipper = Shipper(folder, os.environ, ShipperSettings(), gate=FolderGate(Path(sys.argv[2])))
    return 0 if asyncio.run(shipper.run()) is ShipperResult.COMPLETE else 1


if __name__ == "__main__":
    sys.exit(main())
