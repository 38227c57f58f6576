"""fastai with its callback for W&B."""

import torch
import wandb
from fastai.callback.wandb import WandbCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    """Train two epochs."""
    torch.manual_seed(0)
    with wandb.init():
        data = torch.randn(32, 2)
        loader = DataLoader(TensorDataset(data, data.sum(1, keepdim=True)), batch_size=8)
        callback = WandbCallback(log_preds=False, log_model=False)
        learner = Learner(
            DataLoaders(loader, loader), torch.nn.Linear(2, 1), loss_func=torch.nn.functional.mse_loss, cbs=callback
        )
        learner.fit(2)


if __name__ == "__main__":
    main()
