"""Keras with the callback of old versions of W&B."""

import keras
import numpy as np
import wandb
from wandb.keras import WandbCallback


def main() -> None:
    """Train two epochs with images."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random((16, 4, 4, 1))
    labels = keras.utils.to_categorical(images.mean((1, 2, 3)) > 0.5)
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax", name="dense")]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    wandb.init()
    callback = WandbCallback(
        validation_data=(images, labels),
        labels=["low", "high"],
        input_type="image",
        output_type="label",
        predictions=3,
        log_weights=True,
        log_gradients=True,
        log_evaluation=True,
        validation_row_processor=lambda index, row: {"mean": float(row["input"].mean()) + 0 * index},
    )
    model.fit(images, labels, batch_size=2, epochs=2, validation_data=(images, labels), callbacks=[callback], verbose=0)
    wandb.finish()


if __name__ == "__main__":
    main()
