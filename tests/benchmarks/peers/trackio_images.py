"""Trackio, local: images are encoded where they are logged."""

import os
import sys

os.environ["TRACKIO_DIR"] = sys.argv[1]

import trackio  # type: ignore[import-not-found]
from timed_images import time_images  # type: ignore[import-not-found]

run = trackio.init(project="bench", embed=False)
time_images(lambda array: run.log({"image": trackio.Image(array)}), int(sys.argv[2]))
trackio.finish()
