"""Callbacks for Keras 3, with any of its backends: ``model.fit(..., callbacks=[WandbMetricsLogger()])``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras

import runstream
from runstream.integration.active_run import active_run
from runstream.integration.keras_callback import WandbCallback as WandbCallback  # noqa: PLC0414 - W&B has it here
from runstream.tracking.artifacts.records import record_version

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
    """Saves checkpoints as ``keras.callbacks.ModelCheckpoint`` does, and logs each as a version of ``run_ID_model``.

    Its aliases are ``latest`` and ``epoch_N`` or ``epoch_N_batch_M``.

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
        self._run = active_run("keras.WandbModelCheckpoint()")
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

    def _save_model(self, epoch: int, batch: int | None, logs: Mapping[str, Any] | None) -> None:
        """Save a checkpoint if it is one to save; log it if it was saved."""
        path = Path(self._get_file_path(epoch, batch, logs or {}))
        before = _state(path)
        super()._save_model(epoch, batch, logs)
        if _state(path) != before:
            alias = f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"
            self._run.log_model(path, f"run_{self._run.id}_model", aliases=["latest", alias])


class WandbEvalCallback(ABC, keras.callbacks.Callback):
    """Base class of callbacks that log a table of samples at the start, and one of predictions after each epoch.

    A subclass fills ``self.data_table`` in ``add_ground_truth()``, and ``self.pred_table`` in
    ``add_model_predictions()``.

    Args:
        data_table_columns: The columns of the table of samples.
        pred_table_columns: The columns of the table of predictions.

    Raises:
        Error: No run is active.
    """

    def __init__(
        self, data_table_columns: list[str], pred_table_columns: list[str], *arguments: Any, **keywords: Any
    ) -> None:
        super().__init__(*arguments, **keywords)
        self._run = active_run("keras.WandbEvalCallback()")
        self.data_table_columns, self.pred_table_columns = data_table_columns, pred_table_columns

    @abstractmethod
    def add_ground_truth(self, logs: dict[str, float] | None = None) -> None:
        """Add the samples to ``self.data_table``."""

    @abstractmethod
    def add_model_predictions(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the predictions of an epoch to ``self.pred_table``; ``self.data_table_ref`` has the samples."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Log the table of samples."""
        self.init_data_table(self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the table of predictions."""
        self.init_pred_table(self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    def init_data_table(self, column_names: list[str]) -> None:
        """Make ``self.data_table``."""
        self.data_table = runstream.Table(columns=column_names, allow_mixed_types=True)

    def init_pred_table(self, column_names: list[str]) -> None:
        """Make ``self.pred_table``."""
        self.pred_table = runstream.Table(columns=column_names)

    def log_data_table(self, name: str = "val", type: str = "dataset", table_name: str = "val_data") -> None:  # noqa: A002
        """Log the table of samples as an artifact that the run uses."""
        artifact = runstream.Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        if not self._run.disabled:
            # As use_artifact() does, which waits until it is stored, and refuses in an offline run.
            record_version(self._run, artifact, {"aliases": [], "use": True})
        self.data_table_ref = self.data_table

    def log_pred_table(
        self,
        type: str = "evaluation",  # noqa: A002 - the signature of W&B
        table_name: str = "eval_data",
        aliases: list[str] | None = None,
    ) -> None:
        """Log the table of predictions as a version of the artifact ``run_ID_pred``."""
        artifact = runstream.Artifact(f"run_{self._run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        self._run.log_artifact(artifact, aliases=aliases or ["latest"])


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what differs once a file is written again; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _batches(log_freq: Any) -> int:
    if log_freq in {"epoch", "batch"}:
        return 1
    if isinstance(log_freq, int) and log_freq > 0:
        return log_freq
    raise runstream.UsageError(f"Invalid log_freq={log_freq!r}: expected 'epoch', 'batch' or a number of batches")
