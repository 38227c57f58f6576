"""The models that a run watches: registering hooks, and logging what they sample."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError
from runstream.watching.graph import GraphTracer
from runstream.watching.histograms import collect, count_values
from runstream.watching.hooks import ModuleHook, every_nth, gradient_hook
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream.watching.histograms import DeviceCounts, Histogram


@dataclass(slots=True)
class PendingGradients:
    """Histograms of gradients, logged together when their backward pass ends."""

    found: dict[str, Histogram | DeviceCounts | None] = field(default_factory=dict)
    #: Whether a callback at the end of the backward pass is registered.
    scheduled: bool = False


class Watcher:
    """Registers hooks in models and logs what they sample.

    Args:
        torch: The module, which the user imported.
        log: Adds values to the row of the run's next ``log()``.
        set_summary: Sets a value in the run's summary.
        warn: Prints a warning.
    """

    def __init__(
        self,
        torch: Any,
        *,
        log: Callable[[dict[str, Any]], None],
        set_summary: Callable[[str, Any], None],
        warn: Callable[[str], None],
    ) -> None:
        self._torch = torch
        self._log = log
        self._set_summary = set_summary
        self._warn = warn
        self._handles: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()
        self._pending = PendingGradients()
        #: How many models were watched so far.
        self.count = 0

    def watch(self, model: Any, *, number: int, gradients: bool, parameters: bool, every: int, graph: bool) -> None:
        """Register hooks in a model.

        Args:
            model: The model.
            number: The model's number in the run; part of the logged names unless it is 0.
            gradients: Whether to log histograms of the gradients.
            parameters: Whether to log histograms of the parameters.
            every: Log in every ``every``-th pass.
            graph: Whether to store the graph in the summary when it is known.
        """
        self.count += 1
        prefix = f"graph_{number}" if number else ""
        handles = self._handles.setdefault(model, [])
        if parameters:
            what = f"the parameters of {type(model).__name__}"
            sample = partial(self._try, what, self._sample_parameters, f"parameters/{prefix}")
            handles.append(model.register_forward_hook(ModuleHook(every_nth(every, sample))))
        if gradients:
            handles += self._gradient_hooks(model, f"gradients/{prefix}", every)
        if graph:
            tracer = GraphTracer(self._torch, model, partial(self._set_summary, f"graph_{number}"), self._warn)
            tracer.start()
            handles.append(tracer)

    def unwatch(self, model: Any) -> bool:
        """Remove the hooks of a model; return whether it was watched."""
        handles = self._handles.pop(model, None)
        for handle in handles or ():
            handle.remove()
        return handles is not None

    def unwatch_all(self) -> None:
        """Remove the hooks of all models."""
        for model in list(self._handles):
            self.unwatch(model)

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
            self._pending.found[name] = count_values(self._torch, gradient)
        if self._pending.scheduled:
            return
        log_gradients = partial(self._try, "gradients", self._log_gradients)
        try:
            self._torch.autograd.Variable._execution_engine.queue_callback(log_gradients)  # noqa: SLF001 - torch's DDP does the same
        except (AttributeError, RuntimeError):
            log_gradients()
        else:
            self._pending.scheduled = True

    def _log_gradients(self) -> None:
        """Log the histograms of the backward pass that has ended."""
        pending, self._pending = self._pending, PendingGradients()
        self._log_histograms(pending.found)

    def _log_histograms(self, found: dict[str, Histogram | DeviceCounts | None]) -> None:
        row = collect(self._torch, {name: item for name, item in found.items() if _fits(name)})
        if row:
            self._log(row)

    def _try(self, what: str, action: Callable[..., None], *arguments: Any) -> None:
        """Run the action of a hook. An error is a warning: the training must go on."""
        try:
            action(*arguments)
        except UsageError:
            self.unwatch_all()  # The run is finished.
        except Exception as error:  # noqa: BLE001 - out of memory on an accelerator, an unknown kind of tensor
            with contextlib.suppress(Exception):
                self._warn(f"Cannot log {what}: {error!r}")


def _fits(name: str) -> bool:
    return len(name) <= DEFAULT_LIMITS.key_length
