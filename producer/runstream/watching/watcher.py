"""The models that a run watches."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError
from runstream.watching.graph import GraphTracer
from runstream.watching.histograms import collected, measured
from runstream.watching.hooks import OnForward, on_gradient
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream.watching.histograms import Counted, Histogram


@dataclass(slots=True)
class Pending:
    """Histograms of gradients that wait for the end of their backward pass."""

    found: dict[str, Histogram | Counted | None] = field(default_factory=dict)
    awaited: bool = False


class Watcher:
    """Puts hooks into models and logs what they see.

    Args:
        torch: The module, which the user imported.
        log: Takes a row that is held for the next one.
        set_summary: Takes a key of the summary and its value.
        warn: Takes a sentence for the user.
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
        self._pending = Pending()
        #: Models that were watched so far.
        self.count = 0

    @property
    def hooks(self) -> int:
        """How many hooks are in place."""
        return sum(len(handles) for handles in self._handles.values())

    def watch(self, model: Any, *, number: int, gradients: bool, parameters: bool, every: int, graph: bool) -> None:
        """Put hooks into a model.

        Args:
            model: The model.
            number: Which one it is in the run; the names of all but number 0 say so.
            gradients: Whether to log histograms of the gradients.
            parameters: Whether to log histograms of the parameters.
            every: At every so many passes.
            graph: Whether to put the graph into the summary, once it is known.
        """
        self.count += 1
        prefix = f"graph_{number}" if number else ""
        handles = self._handles.setdefault(model, [])
        if parameters:
            take = partial(
                self._try, f"parameters of {type(model).__name__}", self._take_parameters, f"parameters/{prefix}"
            )
            handles.append(model.register_forward_hook(OnForward(every, take)))
        if gradients:
            handles += self._gradient_hooks(model, f"gradients/{prefix}", every)
        if graph:
            tracer = GraphTracer(self._torch, model, partial(self._set_summary, f"graph_{number}"), self._warn)
            handles += tracer.begin()

    def unwatch(self, model: Any) -> bool:
        """Take the hooks out of a model; return whether it was watched."""
        handles = self._handles.pop(model, None)
        for handle in handles or ():
            handle.remove()
        return handles is not None

    def unwatch_all(self) -> None:
        """Take the hooks out of all models."""
        for model in list(self._handles):
            self.unwatch(model)

    def _gradient_hooks(self, model: Any, prefix: str, every: int) -> Iterator[Any]:
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                take = partial(self._try, f"the gradient of {name}", self._take_gradient)
                yield parameter.register_hook(on_gradient(prefix + name, every, take))

    def _take_parameters(self, prefix: str, model: Any) -> None:
        with self._torch.no_grad():
            found = {prefix + name: measured(self._torch, item) for name, item in model.named_parameters()}
            self._deliver(found)

    def _take_gradient(self, name: str, gradient: Any) -> None:
        with self._torch.no_grad():
            self._pending.found[name] = measured(self._torch, gradient)
        if self._pending.awaited:
            return
        deliver = partial(self._try, "gradients", self._deliver_gradients)
        try:
            self._torch.autograd.Variable._execution_engine.queue_callback(deliver)  # noqa: SLF001 - as torch's own DDP
        except (AttributeError, RuntimeError):
            deliver()
        else:
            self._pending.awaited = True

    def _deliver_gradients(self) -> None:
        """Log what one backward pass found, once it has ended."""
        pending, self._pending = self._pending, Pending()
        self._deliver(pending.found)

    def _deliver(self, found: dict[str, Histogram | Counted | None]) -> None:
        row = collected(self._torch, {name: item for name, item in found.items() if _fits(name)})
        if row:
            self._log(row)

    def _try(self, what: str, action: Callable[..., None], *arguments: Any) -> None:
        """Do what a hook does; whatever goes wrong with it, the training goes on."""
        try:
            action(*arguments)
        except UsageError:
            self.unwatch_all()  # the run is finished
        except Exception as error:  # noqa: BLE001 - an accelerator without memory, a tensor of a strange kind
            with contextlib.suppress(Exception):
                self._warn(f"watch() cannot log {what}: {error!r}")


def _fits(name: str) -> bool:
    return len(name) <= DEFAULT_LIMITS.key_length
