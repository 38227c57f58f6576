"""Keras with W&B's callbacks."""

from typing import Any

import keras
import numpy as np
import wandb
from wandb.integration.keras import WandbEvalCallback, WandbMetricsLogger, WandbModelCheckpoint


class Predictions(WandbEvalCallback):
    """Logs two samples as images, and what the model predicts for them."""

    def __init__(self, data: Any) -> None:
        super().__init__(["sample"], ["epoch", "sample", "predicted"])
        self.data = data[:2]

    def add_ground_truth(self, logs: Any = None) -> None:  # noqa: ARG002 - as W&B calls it
        """Add an image for each sample."""
        for row in self.data:
            self.data_table.add_data(wandb.Image(np.tile(row, (2, 1)) * 40 + 100))

    def add_model_predictions(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Add the sample and what is predicted for it."""
        predicted = self.model.predict(self.data, verbose=0)
        for index in self.data_table_ref.get_index():
            self.pred_table.add_data(epoch, self.data_table_ref.data[index][0], float(predicted[index][0]))


def main() -> None:
    """Train three epochs."""
    keras.utils.set_random_seed(0)
    data = np.random.default_rng(0).normal(size=(16, 2))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse", metrics=["mae"])
    wandb.init(config={"batch": 4})
    model.fit(
        data,
        data.sum(1),
        batch_size=4,
        epochs=3,
        validation_data=(data, data.sum(1)),
        callbacks=[WandbMetricsLogger(log_freq=2), WandbModelCheckpoint("model.keras"), Predictions(data)],
        verbose=0,
    )
    wandb.finish()


if __name__ == "__main__":
    main()
