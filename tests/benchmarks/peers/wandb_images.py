"""W&B, offline: images are encoded where they are made."""

import sys

import wandb
from timed_images import time_images  # type: ignore[import-not-found]

run = wandb.init(project="bench", mode="offline", dir=sys.argv[1], settings=wandb.Settings(console="off", silent=True))
time_images(lambda array: run.log({"image": wandb.Image(array)}), int(sys.argv[2]))
run.finish()
