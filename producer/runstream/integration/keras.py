"""Callbacks for Keras 3, with any of its backends: ``model.fit(..., callbacks=[WandbMetricsLogger()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras

from runstream.exceptions import UsageError
from runstream.messages import termwarn
from runstream.tracking.run.session import SESSION
from runstream.unsupported_media import UnsupportedMedia

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


class WandbMetricsLogger(keras.callbacks.Callback):
    """Logs what Keras measures: a row an epoch under ``epoch/``, and rows of batches under ``batch/`` if asked for.

    Args:
        log_freq: ``epoch``: epochs only; ``batch``: each batch too; a number: each so many batches too.
        initial_global_step: Number of batches before this training, where it carries on an earlier one.

    Raises:
        Error: There is no active run; as UsageError, ``log_freq`` is none of the above.
    """

    def __init__(
        self,
        log_freq: Literal["epoch", "batch"] | int = "epoch",
        initial_global_step: int = 0,
        *_arguments: Any,
        **_keywords: Any,
    ) -> None:
        super().__init__()
        self._run = SESSION.active("integration.keras.WandbMetricsLogger()")
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
        """Log the row of a batch, at each so many batches."""
        self.global_step += 1
        if self.logging_batch_wise and batch % self.log_freq == 0:
            self._run.log({**self._row("batch", logs), "batch/batch_step": self.global_step - 1})

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Do what :meth:`on_batch_end` does."""
        self.on_batch_end(batch, logs)

    def _define(self, part: str, step: str) -> None:
        self._run.define_metric(f"{part}/{step}")
        self._run.define_metric(f"{part}/*", step_metric=f"{part}/{step}")

    def _row(self, part: str, logs: Mapping[str, Any] | None) -> dict[str, Any]:
        row = {f"{part}/{name}": value for name, value in (logs or {}).items()}
        rate = self._learning_rate()
        return row if rate is None else {**row, f"{part}/learning_rate": rate}

    def _learning_rate(self) -> float | None:
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            return None
        try:
            return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        except (AttributeError, TypeError, ValueError):
            return None  # An optimizer of the user's own need not have one number.


class WandbModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves checkpoints as ``keras.callbacks.ModelCheckpoint`` does; uploading them comes with files and artifacts.

    Args:
        filepath: Where to save; ends with ``.keras``, or ``.weights.h5`` for weights alone.
        monitor: The metric by which a model is the best.
        verbose: 1: say when a checkpoint is saved.
        save_best_only: Save only models that are better than all before.
        save_weights_only: Save the weights alone.
        mode: ``min``, ``max`` or ``auto``.
        save_freq: ``epoch``, or a number of batches.
        options: Means nothing in Keras 3.
        initial_value_threshold: What the first model has to beat.

    Raises:
        Error: There is no active run.
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
        SESSION.active("integration.keras.WandbModelCheckpoint()")
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
        termwarn(
            f"checkpoints stay at {filepath}: uploading them comes with files and artifacts, which this version of "
            "Runstream does not have yet",
            repeat=False,
        )


class WandbEvalCallback(UnsupportedMedia):
    """Base of callbacks that log tables of predictions; making one raises until tables come."""


class WandbCallback(UnsupportedMedia):
    """The oldest callback of W&B for Keras, which logs models and media; :class:`WandbMetricsLogger` logs metrics."""


def _batches(log_freq: Any) -> int:
    if log_freq in {"epoch", "batch"}:
        return 1
    if isinstance(log_freq, int) and log_freq > 0:
        return log_freq
    raise UsageError(f'log_freq is "epoch", "batch" or a number of batches, not {log_freq!r}')
