"""Logs the training of Stable-Baselines3: ``model.learn(..., callback=WandbCallback())``.

The metrics are those that Stable-Baselines3 writes for TensorBoard: ``init(sync_tensorboard=True)`` makes rows of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stable_baselines3.common.callbacks import BaseCallback

from runstream.messages import termlog, termwarn
from runstream.tracking.run.session import SESSION

if TYPE_CHECKING:
    import os


class WandbCallback(BaseCallback):
    """Takes the model's attributes into the config, watches its policy, and saves the model.

    Args:
        verbose: 1 or more: say when the model is saved.
        model_save_path: Folder in which the model is saved, as ``model.zip``; None: it is not. Uploading it comes with
            files and artifacts.
        model_save_freq: Save it each so many steps too; 0: at the end only.
        gradient_save_freq: Log histograms each so many batches; 0: none.
        log: Of what: ``gradients``, ``parameters``, ``all`` or None.

    Raises:
        Error: There is no active run.
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
        self._run = SESSION.active("integration.sb3.WandbCallback()")
        self.model_save_freq = model_save_freq
        self.gradient_save_freq = gradient_save_freq
        self.log = log
        self.path: Path | None = None
        if model_save_path is not None:
            Path(model_save_path).mkdir(parents=True, exist_ok=True)
            self.path = Path(model_save_path) / "model.zip"

    def _init_callback(self) -> None:
        attributes = {"algo": type(self.model).__name__, **vars(self.model)}
        self._run.config.setdefaults({name: _shown(value) for name, value in attributes.items()})
        if self.gradient_save_freq > 0:
            self._run.watch(self.model.policy, log_freq=self.gradient_save_freq, log=self.log)

    def _on_step(self) -> bool:
        if self.model_save_freq > 0 and self.n_calls % self.model_save_freq == 0:
            self._save_model()
        return True

    def _on_training_end(self) -> None:
        self._save_model()

    def _save_model(self) -> None:
        if self.path is None:
            return
        self.model.save(self.path)
        if self.verbose > 0:
            termlog(f"saved the model to {self.path}")
        termwarn(
            f"the model stays at {self.path}: uploading it comes with files and artifacts, which this version of "
            "Runstream does not have yet",
            repeat=False,
        )


def _shown(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
