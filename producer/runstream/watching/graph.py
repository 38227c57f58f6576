"""The graph of a model: its modules in the order in which they are called, and which of them feed which."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError
from runstream.media.graph import Graph
from runstream.watching.hooks import ModuleHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: How many autograd steps are followed from an input back to the module that computed it.
_MAX_STEPS = 10_000


@dataclass(slots=True)
class ModuleGraph:
    """The calls of modules without children that have been traced so far."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[list[int]] = field(default_factory=list)
    #: The node by the autograd step that computed its output.
    producers: dict[Any, int] = field(default_factory=dict)

    def truncate(self, count: int) -> None:
        """Remove all nodes but the first ``count``."""
        del self.nodes[count:]
        self.edges = [edge for edge in self.edges if edge[1] < count]
        self.producers = {step: node for step, node in self.producers.items() if node < count}


class GraphTracer:
    """Traces the first forward pass of a model, publishes its graph, and removes its hooks.

    The graph is final when a call of the model itself returns. A model of which only parts are called has no such
    moment: its graph is published when every module was called, when the backward pass begins, when a part is called
    again, or when the hooks are removed, whichever comes first. It is replaced if the model itself is called later.
    """

    def __init__(self, torch: Any, model: Any, publish: Callable[[Graph], None], warn: Callable[[str], None]) -> None:
        self._torch = torch
        #: Weak, since the hooks of the model's parts refer to this object.
        self._model = weakref.ref(model)
        self._has_replicas = isinstance(model, torch.nn.DataParallel)
        self._publish_graph = publish
        self._warn = warn
        self._graph = ModuleGraph()
        self._published = False
        #: Calls in progress, the outermost first: name, number of nodes before, exception that was being handled.
        self._calls: list[tuple[str, int, BaseException | None]] = []
        #: Threads whose calls are traced. DataParallel calls its replicas in threads; one of them is traced.
        self._threads: set[int] = set()
        self._lock = threading.Lock()
        #: Parts that were called from outside the model.
        self._parts: set[str] = set()
        self._leaves = {name for name, module in model.named_modules() if not list(module.children())}
        self._model_handles: list[Any] = []
        self._part_handles: list[Any] = []

    def start(self) -> None:
        """Register the hooks that are not registered."""
        if (model := self._model()) is not None and not self._part_handles:
            for name, module in model.named_modules():
                if name or not self._model_handles:
                    self._register(name, module, self._part_handles if name else self._model_handles)

    def remove(self) -> None:
        """Remove the hooks; publish what was traced, if nothing was published yet."""
        self._publish_partial()
        self._remove(self._model_handles)

    def enter(self, name: str) -> None:
        """Note that a module is called; the name of the model itself is empty."""
        thread = threading.get_ident()
        with self._lock:
            if not self._calls:
                self._threads = {thread}
            elif thread not in self._threads:
                if len(self._threads) > 1 or not self._has_replicas:
                    return
                self._threads.add(thread)
        if not name:
            self._graph = ModuleGraph()
            self._calls.clear()
            self.start()
        elif not self._calls and name in self._parts:
            self._publish_partial()
            return
        self._calls.append((name, len(self._graph.nodes), sys.exception()))

    def leave(self, name: str, _module: Any, arguments: Any, output: Any) -> None:
        """Note that a call of a module ended, by returning or by an exception."""
        if threading.get_ident() not in self._threads or name not in {call[0] for call in self._calls}:
            return
        while (call := self._calls.pop())[0] != name:
            pass  # PyTorch before 2.1 calls no hook for a call that raised an exception.
        _, nodes, handled = call
        if sys.exception() is not handled:
            self._graph.truncate(nodes)
            return
        if name in self._leaves:
            with contextlib.suppress(Exception):  # a module may return any object
                self._add(name, arguments, output)
        if not name:
            self._publish()
            self._remove(self._part_handles)
            self._remove(self._model_handles)
        elif not self._calls:
            self._leave_part(name, output)

    def _leave_part(self, name: str, output: Any) -> None:
        self._parts.add(name)
        if self._leaves <= {node["name"] for node in self._graph.nodes}:
            self._publish_partial()
            return
        with contextlib.suppress(Exception):
            for tensor in self._tensors(output):
                if tensor.requires_grad:
                    tensor.register_hook(partial(self._on_backward, self._graph))

    def _on_backward(self, graph: ModuleGraph, _gradient: Any) -> None:
        if graph is self._graph and not self._calls:
            self._publish_partial()

    def _publish_partial(self) -> None:
        """Publish the graph of the parts that were called; only a call of the model itself is waited for then."""
        if self._graph.nodes and not self._published:
            self._publish()
        self._remove(self._part_handles)

    def _publish(self) -> None:
        self._published = True
        self._graph.producers.clear()
        try:
            nodes, edges = self._graph.nodes, self._graph.edges
            graph = Graph("torch")
            for node in nodes:
                graph.add_node(**node)
            for source, target in edges:
                graph.add_edge(graph[source], graph[target])
            self._publish_graph(graph)
        except UsageError:
            return  # The run is finished.
        except Exception as error:  # noqa: BLE001 - tracking must not stop the training
            self._warn(f"Cannot record the graph of a watched model: {error!r}")

    def _register(self, name: str, module: Any, handles: list[Any]) -> None:
        handles.append(module.register_forward_pre_hook(ModuleHook(lambda *_: self.enter(name))))
        hook = ModuleHook(partial(self.leave, name))
        try:
            handles.append(module.register_forward_hook(hook, always_call=True))
        except TypeError:  # PyTorch before 2.1
            handles.append(module.register_forward_hook(hook))

    @staticmethod
    def _remove(handles: list[Any]) -> None:
        for handle in handles:
            handle.remove()
        handles.clear()

    def _add(self, name: str, arguments: Any, output: Any) -> None:
        if (model := self._model()) is None:
            return
        module = model.get_submodule(name)  # The module of a call may be a replica, which has no parameters.
        graph, number = self._graph, len(self._graph.nodes)
        for source in sorted({node for tensor in self._tensors(arguments) for node in self._sources(tensor)}):
            graph.edges.append([source, number])
        outputs = list(self._tensors(output))
        graph.nodes.append(
            {
                "id": number,
                "name": name,
                "class_name": str(module),
                "parameters": [[key, list(item.shape)] for key, item in module.named_parameters()],
                "output_shape": [list(tensor.shape) for tensor in outputs],
                "num_parameters": sum(item.numel() for item in module.parameters()),
            }
        )
        for tensor in outputs:
            if tensor.grad_fn is not None:
                graph.producers[tensor.grad_fn] = number

    def _sources(self, tensor: Any) -> Iterator[int]:
        """Yield the nodes that a tensor was computed from, through any operations between modules."""
        ahead: list[Any] = [tensor.grad_fn]
        seen: set[Any] = set()
        while ahead and len(seen) < _MAX_STEPS:
            step = ahead.pop()
            if step is None or step in seen:
                continue
            seen.add(step)
            if (node := self._graph.producers.get(step)) is not None:
                yield node
            else:
                ahead += [before for before, _ in step.next_functions]

    def _tensors(self, value: Any) -> Iterator[Any]:
        if isinstance(value, self._torch.Tensor):
            yield value
        elif isinstance(value, dict):
            for item in value.values():
                yield from self._tensors(item)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from self._tensors(item)
