"""Accelerate's tracker."""

import os

import numpy as np
import torch
from accelerate import Accelerator


def main() -> None:
    """Train four steps."""
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True, log_with="wandb")
    accelerator.init_trackers(
        "tests",
        config={"lr": 0.1, "depth": 2},
        init_kwargs={"wandb": {"id": os.environ["WANDB_RUN_ID"], "tags": ["accelerate"], "notes": "by Accelerate"}},
    )
    model = torch.nn.Linear(2, 1)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for step in range(4):
        data = torch.randn(8, 2)
        loss = ((model(data).squeeze() - data.sum(1)) ** 2).mean()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.log({"loss": loss.item()}, step=step * 10)
    tracker = accelerator.get_tracker("wandb")
    tracker.log_images({"samples": np.random.default_rng(0).integers(0, 255, (2, 8, 6, 3), dtype=np.uint8)}, step=40)
    tracker.log_table("losses", columns=["step", "loss"], data=[[0, 0.5], [1, 0.25]], step=40)
    accelerator.end_training()


if __name__ == "__main__":
    main()
