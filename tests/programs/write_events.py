"""Write TensorBoard events that are synced to a run. The writer is imported after ``init()``."""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import time
from pathlib import Path

import numpy as np

import runstream


def main() -> None:
    """Write events according to the arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", default="tests")
    parser.add_argument("--id", required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--folders", nargs="*", default=["events"])
    parser.add_argument("--mode", default="online")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between steps; flushes after each step")
    parser.add_argument("--until", type=Path, help="write steps until this file exists, and their number into it")
    parser.add_argument("--image", action="store_true", help="write an image in the last step")
    parser.add_argument("--end", choices=["finish", "exit", "kill"], default="finish")
    arguments = parser.parse_args()

    run = runstream.init(project=arguments.project, id=arguments.id, mode=arguments.mode, sync_tensorboard=True)
    from tensorboardX import SummaryWriter  # noqa: PLC0415 - after init()

    writers = [SummaryWriter(folder) for folder in arguments.folders]
    for writer in writers:
        for step in itertools.count() if arguments.until else range(arguments.steps):
            if arguments.until and arguments.until.exists():
                arguments.until.write_text(str(step))
                break
            writer.add_scalar("loss", 1 / (step + 1), step * 10)
            writer.add_scalar("accuracy", step / 16, step * 10)
            if arguments.pause:
                writer.flush()
                time.sleep(arguments.pause)
        if arguments.image:
            writer.add_image("val/picture", np.zeros((3, 4, 6), np.uint8), (arguments.steps - 1) * 10)
    if arguments.end == "kill":
        for writer in writers:
            writer.close()
        os.kill(os.getpid(), signal.SIGKILL)
    if arguments.end == "finish":
        run.finish()


if __name__ == "__main__":
    main()
