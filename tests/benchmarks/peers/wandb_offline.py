"""W&B, offline: the client hands each row to its service process."""

import sys

import wandb
from timed import time_calls  # type: ignore[import-not-found]

run = wandb.init(project="bench", mode="offline", dir=sys.argv[1], settings=wandb.Settings(console="off", silent=True))
time_calls(lambda values, _: run.log(values), int(sys.argv[2]))
run.finish()
