"""The models that a run watches: registering hooks, and logging what they sample."""

from __future__ import annotations

import contextlib
import sys
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError
from runstream.watching.graph import GraphTracer
from runstream.watching.histograms import collect, count_values
from runstream.watching.hooks import gradient_hook, register_pass_hooks
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream.watching.histograms import DeviceCounts, Histogram


#: What ``watch(log=...)`` accepts, and whether gradients and parameters are logged.
_LOGGED = {"gradients": (True, False), "parameters": (False, True), "all": (True, True), None: (False, False)}


@dataclass(slots=True)
class ModelWatching:
    """The part of a run that watches models: registers hooks, and logs what they sample."""

    #: Adds values to the row of the run's next ``log()``.
    log: Callable[[dict[str, Any]], None]
    #: Sets a value in the run's summary.
    set_summary: Callable[[str, Any], None]
    warn: Callable[[str], None]
    _handles: weakref.WeakKeyDictionary[Any, list[Any]] = field(default_factory=weakref.WeakKeyDictionary)
    #: How many models were watched so far.
    _count: int = 0
    #: Histograms of gradients, which are logged when the backward pass ends.
    _gradients: dict[str, Histogram | DeviceCounts | None] = field(default_factory=dict)
    #: Whether a callback at the end of the backward pass is registered.
    _scheduled: bool = False

    def watch(self, models: Any, *, log: str | None, log_freq: int, idx: int | None, log_graph: bool) -> None:
        """Register hooks in models; see :meth:`runstream.Run.watch`."""
        if log not in _LOGGED:
            raise ValueError(f"Invalid log={log!r}: watch() expects 'gradients', 'parameters', 'all' or None")
        found = _validate_models(models, "watch")
        for number, model in enumerate(found, self._count if idx is None else idx):
            self._watch(model, number, log, max(log_freq, 1), graph=log_graph)
        self._count += len(found)

    def unwatch(self, models: Any = None) -> None:
        """Remove the hooks of models, or of all models if None; see :meth:`runstream.Run.unwatch`."""
        for model in list(self._handles) if models is None else _validate_models(models, "unwatch"):
            handles = self._handles.pop(model, None)
            for handle in handles or ():
                handle.remove()
            if handles is None:
                self.warn(f"unwatch(): {type(model).__name__} is not watched")

    @property
    def _torch(self) -> Any:
        return sys.modules["torch"]  # Imported by the program, if it has a model.

    def _watch(self, model: Any, number: int, log: str | None, every: int, *, graph: bool) -> None:
        prefix = f"graph_{number}" if number else ""
        gradients, parameters = _LOGGED[log]
        handles = self._handles.setdefault(model, [])
        if parameters:
            what = f"the parameters of {type(model).__name__}"
            sample = partial(self._try, what, self._sample_parameters, f"parameters/{prefix}")
            handles += register_pass_hooks(model, every, sample)
        if gradients:
            handles += self._gradient_hooks(model, f"gradients/{prefix}", every)
        if graph:
            tracer = GraphTracer(self._torch, model, partial(self.set_summary, f"graph_{number}"), self.warn)
            tracer.start()
            handles.append(tracer)

    def _gradient_hooks(self, model: Any, prefix: str, every: int) -> Iterator[Any]:
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                sample = partial(self._try, f"the gradient of {name}", self._sample_gradient)
                yield parameter.register_hook(gradient_hook(prefix + name, every, sample))

    def _sample_parameters(self, prefix: str, model: Any, *_: Any) -> None:
        with self._torch.no_grad():
            found = {prefix + name: count_values(self._torch, item) for name, item in model.named_parameters()}
            self._log_histograms(found)

    def _sample_gradient(self, name: str, gradient: Any) -> None:
        with self._torch.no_grad():
            self._gradients[name] = count_values(self._torch, gradient)
        if self._scheduled:
            return
        log_gradients = partial(self._try, "gradients", self._log_gradients)
        try:
            # As torch's own DistributedDataParallel does.
            self._torch.autograd.Variable._execution_engine.queue_callback(log_gradients)  # noqa: SLF001
        except (AttributeError, RuntimeError):
            log_gradients()
        else:
            self._scheduled = True

    def _log_gradients(self) -> None:
        """Log the histograms of the backward pass that has ended."""
        found, self._gradients, self._scheduled = self._gradients, {}, False
        self._log_histograms(found)

    def _log_histograms(self, found: dict[str, Histogram | DeviceCounts | None]) -> None:
        kept = {name: item for name, item in found.items() if len(name) <= DEFAULT_LIMITS.key_length}
        if row := collect(self._torch, kept):
            self.log(row)

    def _try(self, what: str, action: Callable[..., None], *arguments: Any) -> None:
        """Run the action of a hook. An error is a warning: the training must go on."""
        try:
            action(*arguments)
        except UsageError:
            self.unwatch()  # The run is finished.
        except Exception as error:  # noqa: BLE001 - out of memory on an accelerator, an unknown kind of tensor
            with contextlib.suppress(Exception):
                self.warn(f"Cannot log {what}: {error!r}")


def _validate_models(models: Any, function: str) -> tuple[Any, ...]:
    """Return the given models, one or several, as a tuple; raise ValueError if one is not a ``torch.nn.Module``."""
    found = tuple(models) if isinstance(models, list | tuple) else (models,)
    module = getattr(getattr(sys.modules.get("torch"), "nn", None), "Module", None)
    for model in found:
        if module is None or not isinstance(model, module):
            raise ValueError(
                f"Invalid model {type(model).__name__}: {function}() expects a torch.nn.Module or a list of them"
            )
    return found
