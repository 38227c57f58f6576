"""Trackio, local: a queue and a thread that writes to SQLite."""

import os
import sys

os.environ["TRACKIO_DIR"] = sys.argv[1]

import trackio  # type: ignore[import-not-found]
from timed import time_calls  # type: ignore[import-not-found]

run = trackio.init(project="bench", embed=False)
time_calls(lambda values, _: run.log(values), int(sys.argv[2]))
trackio.finish()
