"""``watch(log_graph=True)`` with real torch: the graph in the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from tests.integrations.watched import TwoParts, graph_of, hooks_of, logged, names, network, train

if TYPE_CHECKING:
    from pathlib import Path

    import runstream

pytestmark = pytest.mark.integrations


def test_the_graph_is_stored_in_the_summary(run: runstream.Run, tmp_path: Path) -> None:
    """After the first pass, the summary has the modules, their shapes and edges; rows do not have them."""
    model = network()
    run.watch(model, log=None, log_graph=True)

    train(run, model, 2)

    graph = graph_of(run, tmp_path)
    assert [(node["name"], node["output_shape"]) for node in graph["nodes"]] == [
        ("0", [[2, 3]]),
        ("1", [[2, 3]]),
        ("2", [[2, 1]]),
    ]
    assert [list(edge) for edge in graph["edges"]] == [[0, 1], [1, 2]]
    assert hooks_of(model) == 0
    assert [set(row) for row in logged(run, tmp_path)] == [{"step"}, {"step"}]


def test_the_graph_of_a_part_is_in_the_summary_after_its_backward_pass(run: runstream.Run, tmp_path: Path) -> None:
    """Calling ``model.net`` instead of the model yields the graph of ``net``; a call of the model replaces it."""
    model = TwoParts()
    run.watch(model, log=None, log_graph=True)

    model.net(torch.ones(2, 4)).sum().backward()
    run.log({"a": 1})
    part = names(run, tmp_path)
    model(torch.ones(2, 4)).sum().backward()

    assert part == ["net.0", "net.1", "net.2"]
    assert names(run, tmp_path) == [*part, "head"]
    assert hooks_of(model) == 0


def test_a_pass_that_raises_leaves_nothing_in_the_graph(run: runstream.Run, tmp_path: Path) -> None:
    """The first input has the wrong size for the last layer."""
    model = torch.nn.Sequential(torch.nn.Flatten(), network(), torch.nn.Flatten(0))
    run.watch(model, log=None, log_graph=True)

    with pytest.raises(RuntimeError):
        model(torch.ones(2, 3))
    model(torch.ones(2, 4)).sum().backward()

    assert names(run, tmp_path) == ["0", "1.0", "1.1", "1.2", "2"]


def test_models_that_share_a_part_both_get_their_whole_graph(run: runstream.Run, tmp_path: Path) -> None:
    """A call of the shared part by the first model does not complete the graph of the second."""
    shared = network()
    models = [torch.nn.Sequential(shared, torch.nn.Linear(1, 1)) for _ in range(2)]
    run.watch(models, log=None, log_graph=True)

    for model in models:
        model(torch.ones(2, 4)).sum().backward()

    assert [len(names(run, tmp_path, number)) for number in (0, 1)] == [4, 4]


def test_a_single_layer_is_a_graph_of_one_node(run: runstream.Run, tmp_path: Path) -> None:
    """The name of the node is empty, as the name of the model in ``named_modules()``."""
    model = torch.nn.Linear(4, 1)
    run.watch(model, log=None, log_graph=True)

    model(torch.ones(2, 4))

    assert names(run, tmp_path) == [""]
