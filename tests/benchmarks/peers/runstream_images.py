"""Runstream, offline. In between, the staged links are deleted, as the shipper does once an image is encoded."""

import sys
from pathlib import Path

from timed_images import time_images  # type: ignore[import-not-found]

import runstream

run = runstream.init(project="bench", mode="offline", dir=sys.argv[1], settings={"silent": True, "console": "off"})


def encoded() -> None:
    """Delete what is staged."""
    if "delivered" in sys.argv:
        for path in (Path(run.sync_dir) / "staged").iterdir():
            if path.is_file():
                path.unlink()


time_images(lambda array: run.log({"image": runstream.Image(array)}), int(sys.argv[2]), encoded, sys.argv[-1])
run.finish()
