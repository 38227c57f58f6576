"""Lightning's WandbLogger."""

import os
import sys

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import WandbLogger


class Line(lightning.LightningModule):
    """A linear function."""

    def __init__(self, rate: float = 0.1) -> None:  # noqa: ARG002 - save_hyperparameters() finds it
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss = ((self.layer(batch).squeeze() - batch.sum(1)) ** 2).mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: torch.Tensor, _: int) -> None:
        """Log the loss of a batch."""
        self.log("val_loss", ((self.layer(batch).squeeze() - batch.sum(1)) ** 2).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=self.hparams["rate"])


def main(*, log_model: str | bool) -> None:
    """Train two epochs."""
    torch.manual_seed(0)
    logger = WandbLogger(
        project="tests", id=os.environ["WANDB_RUN_ID"], name="line", tags=["lightning"], log_model=log_model
    )
    loader = torch.utils.data.DataLoader(torch.randn(16, 2), batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=2,
        log_every_n_steps=2,
        logger=logger,
        accelerator="cpu",
        enable_checkpointing=bool(log_model),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Line()
    logger.watch(model, log="all", log_freq=2)
    trainer.fit(model, loader, loader)
    logger.experiment.unwatch(model)
    if log_model:
        random = np.random.default_rng(0)
        logger.log_image("images", [random.random((4, 4, 3)), random.random((4, 4))], caption=["color", "gray"])
        logger.log_audio("sounds", [random.random(100)], sample_rate=[8000], caption=["noise"])
        logger.log_table("table", columns=["a", "b"], data=[[1, "x"], [2, "y"]])


def use(name: str) -> None:
    """Load the checkpoint that another run logged, and log what its model predicts."""
    logger = WandbLogger(project="tests", id=os.environ["WANDB_RUN_ID"])
    with logger.experiment:
        folder = logger.download_artifact(name, artifact_type="model")
        model = Line.load_from_checkpoint(os.path.join(folder, "model.ckpt"))  # noqa: PTH118 - as such scripts do
        logger.log_metrics({"sum": float(model.layer.weight.sum())})


if __name__ == "__main__":
    choice = sys.argv[1] if sys.argv[1:] else ""
    if choice.startswith("use="):
        use(choice.removeprefix("use="))
    else:
        main(log_model={"": False, "True": True}.get(choice, choice))
