"""A fully connected network with ReLU layers and a softmax, and its training by momentum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runstream_deploy.demo.digits import Pictures


@dataclass(frozen=True, slots=True)
class Result:
    """Loss and accuracy on a batch."""

    #: Mean cross-entropy, in nats.
    loss: float
    #: Share of pictures that were classified correctly.
    accuracy: float


class Network:
    """Weights and biases of all layers, in one flat vector, so that ranks can exchange gradients as bytes.

    ``sizes`` are the numbers of units, from the input to the output.
    """

    def __init__(self, sizes: Sequence[int], random: np.random.Generator) -> None:
        self._shapes = list(pairwise(sizes))
        self.parameters = np.zeros(sum((inputs + 1) * units for inputs, units in self._shapes), np.float32)
        self._velocity = np.zeros_like(self.parameters)
        for weights, _ in self._layers(self.parameters):
            weights[:] = random.normal(0, np.sqrt(2 / len(weights)), weights.shape)

    def evaluate(self, batch: Pictures) -> Result:
        """Return loss and accuracy on a batch."""
        return _result(self._forward(batch)[-1], batch)

    def classify(self, batch: Pictures) -> NDArray[np.int64]:
        """Return the digit that the network takes each picture for."""
        found: NDArray[np.int64] = self._forward(batch)[-1].argmax(axis=1)
        return found

    def gradient(self, batch: Pictures) -> tuple[Result, NDArray[np.float32]]:
        """Return loss and accuracy on a batch, and the gradient of the loss."""
        activations = self._forward(batch)
        probabilities = activations[-1]
        result = _result(probabilities, batch)
        gradient = np.zeros_like(self.parameters)
        error = probabilities.copy()
        error[np.arange(len(batch)), batch.digits] -= 1
        error /= len(batch)
        layers = list(zip(self._layers(self.parameters), self._layers(gradient), activations, strict=False))
        for (weights, _), (weights_gradient, biases_gradient), inputs in reversed(layers):
            weights_gradient[:] = inputs.T @ error
            biases_gradient[:] = error.sum(axis=0)
            error = (error @ weights.T) * (inputs > 0)
        return result, gradient

    def step(self, gradient: NDArray[np.float32], rate: float, momentum: float) -> None:
        """Move the parameters against a gradient."""
        self._velocity *= momentum
        self._velocity -= rate * gradient
        self.parameters += self._velocity

    def _forward(self, batch: Pictures) -> list[NDArray[np.float32]]:
        activations = [batch.pixels]
        for number, (weights, biases) in enumerate(self._layers(self.parameters)):
            values = activations[-1] @ weights + biases
            last = number == len(self._shapes) - 1
            activations.append(_softmax(values) if last else np.maximum(values, 0))
        return activations

    def _layers(self, vector: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return (weights, biases) of each layer as views into a vector."""
        found, start = [], 0
        for inputs, units in self._shapes:
            middle, end = start + inputs * units, start + (inputs + 1) * units
            found.append((vector[start:middle].reshape(inputs, units), vector[middle:end]))
            start = end
        return found


def _softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _result(probabilities: NDArray[np.float32], batch: Pictures) -> Result:
    right = probabilities[np.arange(len(batch)), batch.digits]
    loss = -np.log(np.maximum(right, 1e-12)).mean()
    return Result(loss=float(loss), accuracy=float((probabilities.argmax(axis=1) == batch.digits).mean()))
