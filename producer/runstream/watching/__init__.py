"""Watching PyTorch models: hooks that log histograms of gradients and parameters. No import of torch here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstream.tracking.run.run import Run
    from runstream.watching.watcher import Watcher

_LOGGED = {"gradients": (True, False), "parameters": (False, True), "all": (True, True), None: (False, False)}


def watch(
    run: Run, models: Any, *, criterion: Any, log: str | None, log_freq: int, idx: int | None, log_graph: bool
) -> None:
    """Put hooks into models; see :meth:`runstream.Run.watch`."""
    del criterion
    if run.disabled:
        return
    if log not in _LOGGED:
        raise ValueError(f'watch(log=…) is "gradients", "parameters", "all" or None, not {log!r}')
    found = _checked(models, "watch")
    if not found:
        return
    watcher = _watcher_of(run)
    gradients, parameters = _LOGGED[log]
    first = watcher.count if idx is None else idx
    for number, model in enumerate(found, first):
        watcher.watch(
            model, number=number, gradients=gradients, parameters=parameters, every=max(log_freq, 1), graph=log_graph
        )


def unwatch(run: Run, models: Any) -> None:
    """Take the hooks out again; see :meth:`runstream.Run.unwatch`."""
    found = () if models is None or run.disabled else _checked(models, "unwatch")
    watcher: Watcher | None = vars(run).get("_watcher")
    if models is None and watcher is not None:
        watcher.unwatch_all()
    for model in found:
        if watcher is None or not watcher.unwatch(model):
            _warn(run, f"unwatch(): {type(model).__name__} is not watched")


def _checked(models: Any, what: str) -> tuple[Any, ...]:
    """Return the models that were given, one or several.

    Raises:
        ValueError: One is no ``torch.nn.Module``.
    """
    found = tuple(models) if isinstance(models, list | tuple) else (models,)
    module = getattr(getattr(sys.modules.get("torch"), "nn", None), "Module", None)
    for model in found:
        if module is None or not isinstance(model, module):
            raise ValueError(f"{what}() takes a torch.nn.Module or a list of such, not {type(model).__name__}")
    return found


def _watcher_of(run: Run) -> Watcher:
    watcher: Watcher | None = vars(run).get("_watcher")
    if watcher is None:
        from runstream.watching.watcher import Watcher  # noqa: PLC0415 (only where there is a model)

        watcher = Watcher(
            sys.modules["torch"],
            log=lambda row: run.log(row, commit=False),
            set_summary=run.summary.__setitem__,
            warn=lambda text: _warn(run, text),
        )
        run._watcher = watcher  # noqa: SLF001 - ends with its run
    return watcher


def _warn(run: Run, text: str) -> None:
    run._backend.terminal.warn(text)  # noqa: SLF001 - ours
