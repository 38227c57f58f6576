"""When the graph of a watched model is published and passes are counted, with modules that call hooks as torch's do.

The same with real torch is in tests/integrations/test_watch.py.
"""

from __future__ import annotations

import copy
import pickle
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from runstream.watching.graph import GraphTracer
from runstream.watching.hooks import register_pass_hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream.media.graph import Graph


@dataclass(eq=False)
class Step:
    """A step of the autograd graph."""

    next_functions: list[tuple[Any, int]] = field(default_factory=list)


@dataclass(eq=False)
class Tensor:
    """The result of a module, with the hooks that a backward pass calls."""

    grad_fn: Step | None = None
    hooks: list[Callable[[Any], None]] = field(default_factory=list)
    requires_grad: bool = True
    shape: tuple[int, ...] = (1,)

    def register_hook(self, hook: Callable[[Any], None]) -> None:
        """Add a hook."""
        self.hooks.append(hook)

    def backward(self) -> None:
        """Call the hooks."""
        for hook in self.hooks:
            hook(None)


class Module:
    """A module that calls its children one after the other, and its hooks as torch's modules do."""

    def __init__(self, **children: Module) -> None:
        self._children = children
        self.pre_hooks: dict[int, Any] = {}
        self.hooks: dict[int, Any] = {}
        self.error: Exception | None = None

    def children(self) -> Iterator[Module]:
        """Return the modules of this one."""
        return iter(self._children.values())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Return this module and all below it."""
        yield prefix, self
        for name, child in self._children.items():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Return this module and all below it."""
        return (module for _, module in self.named_modules())

    def get_submodule(self, name: str) -> Module:
        """Return a module by its name."""
        return dict(self.named_modules())[name]

    def named_parameters(self) -> Iterator[Any]:
        """Return no parameters."""
        return iter(())

    parameters = named_parameters

    def register_forward_pre_hook(self, hook: Any) -> Any:
        """Add a hook that is called before the module."""
        return self._register(self.pre_hooks, hook)

    def register_forward_hook(self, hook: Any, *, always_call: bool = False) -> Any:
        """Add a hook that is called after the module. All are called after an exception too."""
        del always_call
        return self._register(self.hooks, hook)

    @staticmethod
    def _register(hooks: dict[int, Any], hook: Any) -> Any:
        key = max(hooks, default=0) + 1
        hooks[key] = hook
        return SimpleNamespace(remove=lambda: hooks.pop(key, None))

    def __call__(self, given: Tensor) -> Tensor:
        """Call the hooks and the module."""
        for hook in list(self.pre_hooks.values()):
            hook(self, (given,))
        output = None
        try:
            output = self.forward(given)
        finally:
            for hook in list(self.hooks.values()):
                hook(self, (given,), output)
        return output

    def forward(self, given: Tensor) -> Tensor:
        """Call the children, or return a new tensor."""
        if self.error is not None:
            raise self.error
        if not self._children:
            return Tensor(Step([(given.grad_fn, 0)]))
        for child in self._children.values():
            given = child(given)
        return given


class DataParallel(Module):
    """A module that calls copies of its child in threads."""

    def forward(self, given: Tensor) -> Tensor:
        """Call the child in two threads."""
        outputs: list[Tensor] = []
        started = threading.Barrier(2)

        def call(child: Module) -> None:
            started.wait(120)
            outputs.append(child(given))

        threads = [threading.Thread(target=call, args=(child,)) for child in list(self.children()) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outputs[0]


TORCH = SimpleNamespace(Tensor=Tensor, nn=SimpleNamespace(DataParallel=DataParallel))


@pytest.fixture
def model() -> Module:
    """Return a model of a net with two layers, and a head."""
    return Module(net=Module(a=Module(), b=Module()), head=Module())


def traced(model: Module) -> tuple[GraphTracer, list[Graph]]:
    """Trace a model; return the tracer and the list of graphs that it publishes."""
    graphs: list[Graph] = []
    tracer = GraphTracer(TORCH, model, graphs.append, pytest.fail)
    tracer.start()
    return tracer, graphs


def names(graph: Graph) -> list[Any]:
    """Return the names of a graph's modules."""
    return [node.name for node in graph.nodes]


def hooks_of(model: Module) -> int:
    """Count the hooks in a model."""
    return sum(len(module.pre_hooks) + len(module.hooks) for _, module in model.named_modules())


def test_a_call_of_the_model_publishes_its_graph_and_removes_the_hooks(model: Module) -> None:
    """Nodes are in the order of the calls, and edges lead from a module to the one that uses its output."""
    _, graphs = traced(model)

    model(Tensor())
    model(Tensor())

    assert [names(graph) for graph in graphs] == [["net.a", "net.b", "head"]]
    assert [(one.id, other.id) for one, other in graphs[0].edges] == [(0, 1), (1, 2)]
    assert hooks_of(model) == 0


def test_a_part_that_holds_every_layer_publishes_the_graph_when_it_returns() -> None:
    """Neither a call of the model nor a backward pass is needed."""
    model = Module(net=Module(a=Module(), b=Module()))
    _, graphs = traced(model)

    model.get_submodule("net")(Tensor())

    assert [names(graph) for graph in graphs] == [["net.a", "net.b"]]


def test_a_part_is_published_when_the_backward_pass_begins(model: Module) -> None:
    """The head, which is not called, is missing from the graph."""
    _, graphs = traced(model)

    output = model.get_submodule("net")(Tensor())
    assert graphs == []
    output.backward()

    assert [names(graph) for graph in graphs] == [["net.a", "net.b"]]


def test_a_part_is_published_when_it_is_called_again(model: Module) -> None:
    """So it is in an evaluation, which has no backward pass."""
    _, graphs = traced(model)

    model.get_submodule("net")(Tensor())
    model.get_submodule("net")(Tensor())

    assert [names(graph) for graph in graphs] == [["net.a", "net.b"]]


def test_parts_that_are_called_one_after_the_other_are_one_graph(model: Module) -> None:
    """An edge leads from the last layer of the first part to the second part."""
    _, graphs = traced(model)

    model.get_submodule("head")(model.get_submodule("net")(Tensor()))

    assert [names(graph) for graph in graphs] == [["net.a", "net.b", "head"]]
    assert [(one.id, other.id) for one, other in graphs[0].edges] == [(0, 1), (1, 2)]


def test_a_later_call_of_the_model_replaces_the_graph_of_a_part(model: Module) -> None:
    """A part that two watched models share, for example, may be called by the other one first."""
    _, graphs = traced(model)
    model.get_submodule("net")(Tensor()).backward()

    model(Tensor())

    assert [names(graph) for graph in graphs] == [["net.a", "net.b"], ["net.a", "net.b", "head"]]
    assert hooks_of(model) == 0


def test_two_models_that_share_a_part_both_get_their_whole_graph() -> None:
    """The call of one is not mistaken for a call of the other."""
    shared = Module(layer=Module())
    models = [Module(shared=shared, own=Module()), Module(shared=shared, other=Module())]
    published = [traced(model)[1] for model in models]

    for model in models:
        model(Tensor()).backward()

    assert [names(graphs[-1]) for graphs in published] == [["shared.layer", "own"], ["shared.layer", "other"]]


@pytest.mark.parametrize("part", ["", "net"])
def test_a_pass_that_raises_leaves_nothing_in_the_graph(model: Module, part: str) -> None:
    """Out of memory and called again with a smaller batch, for example, also inside the ``except`` block."""
    _, graphs = traced(model)
    called, failing = model.get_submodule(part), model.get_submodule("net.b")
    failing.error = MemoryError()
    try:
        called(Tensor())
    except MemoryError:
        failing.error = None
        called(Tensor()).backward()

    assert [names(graph) for graph in graphs] == [["net.a", "net.b", "head"] if part == "" else ["net.a", "net.b"]]


def test_removing_the_hooks_publishes_the_parts_that_were_called(model: Module) -> None:
    """The end of the run removes them, too. A model that was not called has no graph."""
    tracer, graphs = traced(model)
    model.get_submodule("net")(Tensor())

    tracer.remove()
    traced(model)[0].remove()

    assert [names(graph) for graph in graphs] == [["net.a", "net.b"]]
    assert hooks_of(model) == 0


def test_one_replica_of_a_data_parallel_model_is_traced() -> None:
    """Each layer is one node, though every replica calls it."""
    model = DataParallel(module=Module(a=Module(), b=Module()))
    _, graphs = traced(model)

    model(Tensor())

    assert [names(graph) for graph in graphs] == [["module.a", "module.b"]]


def test_copies_and_saved_models_are_not_traced(model: Module) -> None:
    """A copy that is called first publishes nothing, and a model with hooks can be pickled."""
    _, graphs = traced(model)
    hook = next(iter(model.hooks.values()))

    copy.deepcopy(hook)(model, (), None)
    pickle.loads(pickle.dumps(hook))(model, (), None)

    assert graphs == []


def test_passes_of_a_model_are_its_calls(model: Module) -> None:
    """Calls of parts within a call of the model are not counted, and one hook remains after the first call."""
    passes: list[Any] = []
    handles = register_pass_hooks(model, 2, lambda watched, *_: passes.append(watched))

    for _ in range(4):
        model(Tensor())

    assert passes == [model, model]
    assert hooks_of(model) == 1
    for handle in handles:
        handle.remove()
    assert hooks_of(model) == 0


def test_passes_of_a_model_that_is_not_called_are_calls_of_its_parts(model: Module) -> None:
    """A pass begins with the first part, and again when a part that was called is called again."""
    passes: list[Any] = []
    register_pass_hooks(model, 1, lambda watched, *_: passes.append(watched))

    for _ in range(3):
        model.get_submodule("head")(model.get_submodule("net")(Tensor()))

    assert passes == [model] * 3
