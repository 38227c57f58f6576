"""A training script that contributes a file to an artifact of several processes, and may be killed on the way.

    contribute.py --id ID --artifact NAME --number N [--die begun|recorded|stored] [--alone] [--finish]

The file ``NUMBER.bin`` is the same each time; ``shared.bin`` is the same for all. With ``--alone``, the processes that
deliver are killed with it.
"""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

import runstream
from runstream.spool.control_page import CONTROL_NAME, ControlPage, Word


def main() -> None:
    """Contribute."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--artifact", required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--die", choices=("begun", "recorded", "stored"))
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--finish", action="store_true")
    options = parser.parse_args()
    settings = {"silent": True, "x_disable_stats": True, "x_disable_meta": True, "console": "off"}
    run = runstream.init(project="tests", id=options.id, group=options.artifact, resume="allow", settings=settings)

    def pass_point(name: str) -> None:
        if options.die == name:
            if options.alone:
                _kill_delivery(Path(run.dir).parent)
            os.kill(os.getpid(), signal.SIGKILL)

    artifact = runstream.Artifact(options.artifact, "dataset")
    for name, seed in ((f"{options.number}.bin", options.number), ("shared.bin", -1)):
        Path(name).write_bytes(f"{options.artifact} {seed}".encode() * 1000)
        artifact.add_file(name)
    pass_point("begun")
    (run.finish_artifact if options.finish else run.upsert_artifact)(artifact)
    pass_point("recorded")
    artifact.wait(timeout=300)
    pass_point("stored")
    run.finish()


def _kill_delivery(folder: Path) -> None:
    with ControlPage(folder / CONTROL_NAME) as control:
        pids = control[Word.GUARDIAN_PID], control[Word.SHIPPER_PID]
    for pid in filter(None, pids):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
