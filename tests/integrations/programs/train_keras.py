"""Keras with W&B's callback."""

import keras
import numpy as np
import wandb
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint


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
        callbacks=[WandbMetricsLogger(log_freq=2), WandbModelCheckpoint("model.keras")],
        verbose=0,
    )
    wandb.finish()


if __name__ == "__main__":
    main()
