"""Logs the training of Stable-Baselines3: ``model.learn(..., callback=WandbCallback())``.

Metrics are logged by ``init(sync_tensorboard=True)``, since Stable-Baselines3 writes them for TensorBoard.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stable_baselines3.common.callbacks import BaseCallback

import runstream
from runstream.integration.active_run import active_run
from runstream.tracking.values.foreign import text_of

if TYPE_CHECKING:
    import os


class WandbCallback(BaseCallback):
    """Adds the model's attributes to the config, watches its policy, and saves the model.

    Args:
        verbose: 1 or more to print a message when the model is saved.
        model_save_path: Folder in which to save ``model.zip``; None to not save the model. It is uploaded
            as the file ``model.zip`` of the run.
        model_save_freq: Save the model every so many steps; 0 to save it only at the end.
        gradient_save_freq: Log histograms every so many batches; 0 for no histograms.
        log: What to log histograms of: ``gradients``, ``parameters``, ``all`` or None.

    Raises:
        Error: No run is active; as UsageError, ``model_save_freq`` is set without ``model_save_path``.
    """

    def __init__(
        self,
        verbose: int = 0,
        model_save_path: str | os.PathLike[str] | None = None,
        model_save_freq: int = 0,
        gradient_save_freq: int = 0,
        log: Literal["gradients", "parameters", "all"] | None = "all",
    ) -> None:
        super().__init__(verbose)
        self._run = active_run("sb3.WandbCallback()")
        self.model_save_freq = model_save_freq
        self.gradient_save_freq = gradient_save_freq
        self.log = log
        self.path: Path | None = None
        if model_save_path is None:
            if model_save_freq:
                raise runstream.UsageError(
                    f"Invalid model_save_freq={model_save_freq}: expected model_save_path, a folder for the model, too"
                )
        else:
            Path(model_save_path).mkdir(parents=True, exist_ok=True)
            self.path = Path(model_save_path) / "model.zip"

    def _init_callback(self) -> None:
        attributes = {"algo": type(self.model).__name__, **vars(self.model)}
        # As in W&B, whose test is of the exact type: a boolean is recorded as text.
        kinds = (int, float, str)
        self._run.config.setdefaults(
            {name: value if type(value) in kinds else text_of(value) for name, value in attributes.items()}
        )
        if self.gradient_save_freq > 0:
            self._run.watch(self.model.policy, log_freq=self.gradient_save_freq, log=self.log)

    def _on_step(self) -> bool:
        if self.model_save_freq > 0 and self.n_calls % self.model_save_freq == 0:
            self.save_model()
        return True

    def _on_training_end(self) -> None:
        self.save_model()

    def save_model(self) -> None:
        """Save the model, and upload it."""
        if self.path is None:
            return
        self.model.save(self.path)
        if self.verbose > 0:
            runstream.termlog(f"Saved the model to {self.path}")
        # Copied now: the next model is written to the same path.
        self._run.save(str(self.path), base_path=str(self.path.parent), policy="now")
