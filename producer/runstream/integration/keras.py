"""Callbacks for Keras 3, with any of its backends: ``model.fit(..., callbacks=[WandbMetricsLogger()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras

import runstream
from runstream.integration.active_run import active_run, warn_not_uploaded
from runstream.unsupported_media import raise_unsupported

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


class WandbMetricsLogger(keras.callbacks.Callback):
    """Logs Keras' metrics: a row with ``epoch/`` names for each epoch, and optionally rows with ``batch/`` names.

    Args:
        log_freq: ``epoch`` for epochs only, ``batch`` to log each batch too, or a number ``n`` to log every ``n``-th.
        initial_global_step: The number of the first batch, when an earlier training is continued.

    Raises:
        Error: No run is active; as UsageError, ``log_freq`` has another value.
    """

    def __init__(
        self,
        log_freq: Literal["epoch", "batch"] | int = "epoch",
        initial_global_step: int = 0,
        *_arguments: Any,
        **_keywords: Any,
    ) -> None:
        super().__init__()
        self._run = active_run("keras.WandbMetricsLogger()")
        self.logging_batch_wise = log_freq != "epoch"
        self.log_freq = _batches(log_freq)
        self.global_batch = 0
        self.global_step = initial_global_step
        self._define("epoch", "epoch")
        if self.logging_batch_wise:
            self._define("batch", "batch_step")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the row of an epoch."""
        self._run.log({**self._row("epoch", logs), "epoch/epoch": epoch})

    def on_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the row of a batch, if it is one of those to log."""
        self.global_step += 1
        if self.logging_batch_wise and batch % self.log_freq == 0:
            self._run.log({**self._row("batch", logs), "batch/batch_step": self.global_step - 1})

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Call :meth:`on_batch_end`."""
        self.on_batch_end(batch, logs)

    def _define(self, part: str, step: str) -> None:
        self._run.define_metric(f"{part}/{step}")
        self._run.define_metric(f"{part}/*", step_metric=f"{part}/{step}")

    def _row(self, part: str, logs: Mapping[str, Any] | None) -> dict[str, Any]:
        row = {f"{part}/{name}": value for name, value in (logs or {}).items()}
        rate = self._learning_rate()
        return row if rate is None else {**row, f"{part}/learning_rate": rate}

    def _learning_rate(self) -> float | None:
        try:
            return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        except (AttributeError, TypeError, ValueError):
            return None  # No optimizer, or a custom one with no learning rate, or several.


class WandbModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves checkpoints as ``keras.callbacks.ModelCheckpoint`` does. They are not uploaded yet.

    Args:
        filepath: Where to save; ends with ``.keras``, or ``.weights.h5`` for weights only.
        monitor: The metric that decides which model is the best.
        verbose: 1 to print a message when a checkpoint is saved.
        save_best_only: Save only models that are better than all earlier ones.
        save_weights_only: Save only the weights.
        mode: ``min``, ``max`` or ``auto``.
        save_freq: ``epoch``, or a number of batches.
        options: Ignored; accepted for W&B compatibility.
        initial_value_threshold: The value that the first model must improve on.

    Raises:
        Error: No run is active.
    """

    def __init__(  # noqa: PLR0917 - the signature of W&B
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,  # noqa: FBT001, FBT002
        save_weights_only: bool = False,  # noqa: FBT001, FBT002
        mode: Literal["auto", "min", "max"] = "auto",
        save_freq: Literal["epoch"] | int = "epoch",
        options: Any = None,
        initial_value_threshold: float | None = None,
        **_keywords: Any,
    ) -> None:
        del options
        active_run("keras.WandbModelCheckpoint()")
        super().__init__(
            filepath,
            monitor=monitor,
            verbose=verbose,
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            mode=mode,
            save_freq=save_freq,
            initial_value_threshold=initial_value_threshold,
        )
        warn_not_uploaded("The checkpoint", filepath)


class WandbEvalCallback:
    """Base class of callbacks that log tables of predictions. Not supported yet: raises UnsupportedError."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        raise_unsupported(type(self).__name__)


class WandbCallback(WandbEvalCallback):
    """The oldest W&B callback for Keras. Not supported: use :class:`WandbMetricsLogger`."""


def _batches(log_freq: Any) -> int:
    if log_freq in {"epoch", "batch"}:
        return 1
    if isinstance(log_freq, int) and log_freq > 0:
        return log_freq
    raise runstream.UsageError(f"Invalid log_freq={log_freq!r}: expected 'epoch', 'batch' or a number of batches")
