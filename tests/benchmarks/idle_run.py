"""Start a run, log a row and wait to be killed. Runs as a process."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import runstream

run = runstream.init(project="bench", dir=Path(sys.argv[1]), settings={"silent": True})
run.log({"loss": 1.0})
sys.stdout.write("ready\n")
sys.stdout.flush()
signal.sigwait({signal.SIGUSR1})
run.finish()
