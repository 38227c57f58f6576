"""Watching PyTorch models: hooks that log histograms of gradients and parameters. This package never imports torch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.watching.watcher import Watcher

#: What ``watch(log=...)`` accepts, and whether gradients and parameters are logged.
_LOGGED = {"gradients": (True, False), "parameters": (False, True), "all": (True, True), None: (False, False)}


class ModelWatching:
    """The part of a run that watches models.

    Args:
        log: Adds values to the row of the run's next ``log()``.
        set_summary: Sets a value in the run's summary.
        warn: Prints a warning.
    """

    def __init__(
        self,
        log: Callable[[dict[str, Any]], None],
        set_summary: Callable[[str, Any], None],
        warn: Callable[[str], None],
    ) -> None:
        self._log = log
        self._set_summary = set_summary
        self._warn = warn
        self._watcher: Watcher | None = None

    def watch(self, models: Any, *, log: str | None, log_freq: int, idx: int | None, log_graph: bool) -> None:
        """Register hooks in models; see :meth:`runstream.Run.watch`.

        Raises:
            ValueError: ``log`` is not one of the values listed there, or a model is not a ``torch.nn.Module``.
        """
        if log not in _LOGGED:
            raise ValueError(f"Invalid log={log!r}: watch() expects 'gradients', 'parameters', 'all' or None")
        found = _validate_models(models, "watch")
        if not found:
            return
        watcher = self._create_watcher()
        gradients, parameters = _LOGGED[log]
        first = watcher.count if idx is None else idx
        for number, model in enumerate(found, first):
            watcher.watch(
                model,
                number=number,
                gradients=gradients,
                parameters=parameters,
                every=max(log_freq, 1),
                graph=log_graph,
            )

    def unwatch(self, models: Any = None) -> None:
        """Remove the hooks of models, or of all models if None; see :meth:`runstream.Run.unwatch`.

        Raises:
            ValueError: A model is not a ``torch.nn.Module``.
        """
        if models is None:
            if self._watcher is not None:
                self._watcher.unwatch_all()
            return
        for model in _validate_models(models, "unwatch"):
            if self._watcher is None or not self._watcher.unwatch(model):
                self._warn(f"unwatch(): {type(model).__name__} is not watched")

    def _create_watcher(self) -> Watcher:
        if self._watcher is None:
            from runstream.watching.watcher import Watcher  # noqa: PLC0415 - most runs watch no model

            self._watcher = Watcher(sys.modules["torch"], log=self._log, set_summary=self._set_summary, warn=self._warn)
        return self._watcher


def _validate_models(models: Any, function: str) -> tuple[Any, ...]:
    """Return the given models, one or several, as a tuple.

    Raises:
        ValueError: One of them is not a ``torch.nn.Module``.
    """
    found = tuple(models) if isinstance(models, list | tuple) else (models,)
    module = getattr(getattr(sys.modules.get("torch"), "nn", None), "Module", None)
    for model in found:
        if module is None or not isinstance(model, module):
            raise ValueError(
                f"Invalid model {type(model).__name__}: {function}() expects a torch.nn.Module or a list of them"
            )
    return found
