"""Lightning's WandbLogger."""

import os

import lightning
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


def main() -> None:
    """Train two epochs."""
    torch.manual_seed(0)
    logger = WandbLogger(project="tests", id=os.environ["WANDB_RUN_ID"], name="line", tags=["lightning"])
    loader = torch.utils.data.DataLoader(torch.randn(16, 2), batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=2,
        log_every_n_steps=2,
        logger=logger,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Line()
    logger.watch(model, log="all", log_freq=2)
    trainer.fit(model, loader, loader)
    logger.experiment.unwatch(model)


if __name__ == "__main__":
    main()
