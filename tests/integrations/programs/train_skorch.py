"""skorch with its callback for W&B."""

import numpy as np
import torch
import wandb
from skorch import NeuralNetRegressor
from skorch.callbacks import WandbLogger


def main() -> None:
    """Train three epochs."""
    torch.manual_seed(0)
    run = wandb.init()
    data = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    net = NeuralNetRegressor(torch.nn.Linear(2, 1), max_epochs=3, callbacks=[WandbLogger(run)], verbose=0)
    net.fit(data, data.sum(1, keepdims=True))
    run.finish()


if __name__ == "__main__":
    main()
