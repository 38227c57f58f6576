"""What the demo keeps of a trained network: pictures, a table and a chart of its guesses, a report, and its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import runstream
from runstream_deploy.demo.digits import Pictures
from runstream_deploy.demo.network import Network

MODEL = "digits-network"
_SHOWN = 12
_LISTED = 20


def log_outcome(run: runstream.Run, network: Network, pictures: Pictures) -> None:
    """Log what a network takes pictures for, and its weights as a version of the artifact ``digits-network``."""
    guesses = network.classify(pictures)
    names = [str(digit) for digit in range(10)]
    rows = [
        [_image(pictures.pixels[number]), int(pictures.digits[number]), int(guesses[number])]
        for number in range(_LISTED)
    ]
    run.log(
        {
            "guesses/pictures": [
                _image(pictures.pixels[number], f"a {pictures.digits[number]}, taken for a {guesses[number]}")
                for number in range(_SHOWN)
            ],
            "guesses/table": runstream.Table(columns=["picture", "digit", "guess"], data=rows),
            "guesses/confusion": runstream.plot.confusion_matrix(
                y_true=pictures.digits.tolist(), preds=guesses.tolist(), class_names=names, title="Digits and guesses"
            ),
        }
    )
    wrong = np.flatnonzero(guesses != pictures.digits)
    accuracy = 1 - len(wrong) / len(pictures)
    report = Path(run.dir, "report.txt")
    report.write_text(f"{len(wrong)} of {len(pictures)} pictures were taken for another digit: {wrong.tolist()}\n")
    run.save(report, base_path=run.dir, policy="now")
    model = runstream.Artifact(
        MODEL, type="model", metadata={"accuracy": accuracy, "parameters": network.parameters.size}
    )
    with model.new_file("weights.npy", mode="wb") as file:
        np.save(file, network.parameters)
    run.log_artifact(model, aliases=["good"])


def _image(pixels: NDArray[np.float32], caption: str | None = None) -> runstream.Image:
    return runstream.Image(np.uint8(255 * (0.5 - pixels)).reshape(8, 8), caption=caption)
