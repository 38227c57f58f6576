"""The graph of a model: its modules in the order of a forward pass, and which of them feed which."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Steps back from an input to the module that made it; further away it counts as unknown.
_FARTHEST = 10_000


class GraphTracer:
    """Follows the first forward pass of a model, hands over its graph, and takes its own hooks out again.

    Args:
        torch: The module.
        model: The model.
        found: Called with the graph.
        warn: Takes a sentence for the user.
    """

    def __init__(
        self, torch: Any, model: Any, found: Callable[[dict[str, Any]], None], warn: Callable[[str], None]
    ) -> None:
        self._torch = torch
        self._model = model
        self._found = found
        self._warn = warn
        self._handles: list[Any] = []
        self._nodes: list[dict[str, Any]] = []
        self._edges: list[list[int]] = []
        #: By the step of the autograd graph that ends a module: the module's node.
        self._ends: dict[Any, int] = {}

    def begin(self) -> list[Any]:
        """Put the hooks in, and return what removes them."""
        for name, module in self._model.named_modules():
            if module is not self._model and not any(True for _ in module.children()):
                self._handles.append(module.register_forward_hook(self._hook(name)))
        self._handles.append(self._model.register_forward_hook(lambda *_: self._end()))
        return self._handles

    def _hook(self, name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, arguments: Any, output: Any) -> None:
            with contextlib.suppress(Exception):  # a module may return whatever it likes
                self._add(name, module, arguments, output)

        return hook

    def _add(self, name: str, module: Any, arguments: Any, output: Any) -> None:
        number = len(self._nodes)
        for source in sorted({node for tensor in self._tensors(arguments) for node in self._sources(tensor)}):
            self._edges.append([source, number])
        outputs = list(self._tensors(output))
        self._nodes.append(
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
                self._ends[tensor.grad_fn] = number

    def _sources(self, tensor: Any) -> Iterator[int]:
        """Yield the nodes that a tensor comes from, through whatever was computed between modules."""
        ahead: list[Any] = [tensor.grad_fn]
        seen: set[Any] = set()
        while ahead and len(seen) < _FARTHEST:
            step = ahead.pop()
            if step is None or step in seen:
                continue
            seen.add(step)
            if (node := self._ends.get(step)) is not None:
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

    def _end(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._ends.clear()
        graph = {"_type": "graph", "format": "torch", "nodes": self._nodes, "edges": self._edges}
        try:
            self._found(graph)
        except Exception as error:  # noqa: BLE001 - tracking never takes the program down
            self._warn(f"watch() cannot record the graph: {error!r}")
