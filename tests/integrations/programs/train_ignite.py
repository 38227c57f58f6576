"""Ignite's WandBLogger."""

import os

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers.wandb_logger import WandBLogger, global_step_from_engine
from ignite.metrics import MeanSquaredError


def main() -> None:
    """Train two epochs."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = create_supervised_trainer(model, optimizer, torch.nn.MSELoss())
    evaluator = create_supervised_evaluator(model, metrics={"mse": MeanSquaredError()})
    data = [(batch, batch.sum(1, keepdim=True)) for batch in torch.randn(4, 4, 2)]
    logger = WandBLogger(
        project="tests", id=os.environ["WANDB_RUN_ID"], name="line", config={"lr": 0.1}, tags=["ignite"]
    )
    logger.attach_output_handler(
        trainer, Events.ITERATION_COMPLETED(every=2), tag="training", output_transform=lambda loss: {"loss": loss}
    )
    logger.attach_output_handler(
        evaluator,
        Events.EPOCH_COMPLETED,
        tag="validation",
        metric_names=["mse"],
        global_step_transform=global_step_from_engine(trainer, Events.ITERATION_COMPLETED),
    )
    logger.attach_opt_params_handler(trainer, Events.EPOCH_COMPLETED, optimizer=optimizer)
    logger.watch(model, log="all", log_freq=2)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(data))
    trainer.run(data, max_epochs=2)
    logger.summary["parameters"] = 3
    torch.save(model.state_dict(), os.path.join(logger.run.dir, "model.pt"))  # noqa: PTH118 - as such scripts do
    logger.save(os.path.join(logger.run.dir, "*.pt"), base_path=logger.run.dir)  # noqa: PTH118
    logger.close()


if __name__ == "__main__":
    main()
