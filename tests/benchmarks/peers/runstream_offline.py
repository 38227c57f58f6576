"""Runstream, offline: one append to a mapped file."""

import sys

from timed import time_calls  # type: ignore[import-not-found]

import runstream

run = runstream.init(project="bench", mode="offline", dir=sys.argv[1], settings={"silent": True, "console": "off"})
time_calls(lambda values, _: run.log(values), int(sys.argv[2]))
run.finish()
