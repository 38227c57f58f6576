"""Models to watch, and what their hooks logged. Imports torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from tests.unit.files.recorded import content, file_records
from tests.unit.producer.spooled import primary, rows

if TYPE_CHECKING:
    from pathlib import Path

    import runstream


class TwoParts(torch.nn.Module):  # type: ignore[misc]
    """A model whose parts are called by the program."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()
        self.head = torch.nn.Linear(1, 1)

    def forward(self, given: Any) -> Any:
        """Call both parts."""
        return self.head(self.net(given))


def network() -> Any:
    """Return a model with two layers and four parameters."""
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))


def hooks_of(model: Any) -> int:
    """Count all hooks of a model and its parameters."""
    modules = sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)  # noqa: SLF001 - torch has no public attribute
        for module in model.modules()
    )
    return modules + sum(len(item._backward_hooks or ()) for item in model.parameters())  # noqa: SLF001


def train(run: runstream.Run, model: Any, steps: int, given: Any = None) -> None:
    """Run forward and backward passes, and log a row after each."""
    for step in range(steps):
        model.zero_grad()
        model(torch.ones(2, 4) if given is None else given).sum().backward()
        run.log({"step": step})


def logged(run: runstream.Run, folder: Path) -> list[dict[str, Any]]:
    """Finish a run; return its rows."""
    run.finish()
    return [row.values for row in rows(primary(folder))]


def graph_of(run: runstream.Run, folder: Path, number: int = 0) -> dict[str, Any]:
    """Return the content of the file that the summary names for a graph."""
    described = run.summary[f"graph_{number}"]
    assert described["_type"] == "graph-file"
    record = next(record for record in file_records(folder) if record["path"] == described["path"])
    found: dict[str, Any] = json.loads(content(folder, record))
    return found


def names(run: runstream.Run, folder: Path, number: int = 0) -> list[str]:
    """Return the names of the nodes of a graph."""
    return [node["name"] for node in graph_of(run, folder, number)["nodes"]]


def histograms(row: dict[str, Any]) -> set[str]:
    """Return the keys of a row whose values are histograms."""
    return {key for key, value in row.items() if isinstance(value, dict) and value["_type"] == "histogram"}
