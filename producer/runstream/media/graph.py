"""Graphs of models as values to log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from runstream.media.base import Media, WBValue
from runstream.media.content import BytesContent, MediaFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream.media.base import MediaPlace

_FIELDS = ("id", "name", "class_name", "size", "parameters", "output_shape", "is_output", "num_parameters")


class Node(WBValue):
    """A node of a graph: a layer of a model, for example.

    Args:
        id: What identifies it in its graph.
        name: Its name.
        class_name: Its class.
        fields: ``size``, ``parameters``, ``output_shape``, ``is_output``, ``num_parameters``; or ``node``, another node
            whose fields but ``id`` are copied.

    Raises:
        ValueError: There is no such field.
    """

    id: Any
    name: str | None
    class_name: str | None
    size: Any
    parameters: Any
    output_shape: Any
    is_output: bool | None
    num_parameters: int | None

    def __init__(self, id: Any = None, name: str | None = None, class_name: str | None = None, **fields: Any) -> None:  # noqa: A002 - W&B's name
        copied = {} if (node := fields.pop("node", None)) is None else {**node._fields(), "id": None}
        if unknown := fields.keys() - set(_FIELDS):
            raise ValueError(f"Invalid argument {min(unknown)!r} of Node: expected {', '.join(_FIELDS)}")
        given = {"id": id, "name": name, "class_name": class_name, **fields}
        found = dict.fromkeys(_FIELDS) | copied | {key: value for key, value in given.items() if value is not None}
        for field, value in found.items():
            setattr(self, field, value)

    def __repr__(self) -> str:
        return repr(self._fields())

    @classmethod
    def from_keras(cls, layer: Any) -> Self:
        """Return the node of a layer of Keras."""
        try:
            shape = list(layer.output.shape)
        except (AttributeError, ValueError, RuntimeError):  # not built, called several times, or with several outputs
            shape = ["multiple"]
        parameters = layer.count_params() if getattr(layer, "built", True) else None
        kind = type(layer).__name__
        return cls(id=layer.name, name=layer.name, class_name=kind, output_shape=shape, num_parameters=parameters)

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - it has no file
        """Return the fields that are set."""
        return self._fields()

    def _fields(self) -> dict[str, Any]:
        return {name: value for name in _FIELDS if (value := getattr(self, name)) is not None or name == "name"}


class Edge(NamedTuple):
    """An edge of a graph."""

    from_node: Node
    to_node: Node


class Graph(Media):
    """Nodes and the edges between them. ``format`` names the kind of the graph."""

    _log_type: ClassVar[str] = "graph-file"

    def __init__(self, format: str = "keras") -> None:  # noqa: A002 - W&B's name
        self.format = format
        self.nodes: list[Node] = []
        self.nodes_by_id: dict[Any, Node] = {}
        self.edges: list[Edge] = []
        super().__init__(self._as_file())

    def __getitem__(self, nid: Any) -> Node:
        return self.nodes_by_id[nid]

    @classmethod
    def from_keras(cls, model: Any) -> Self:
        """Return the graph of the layers of a Keras model; one that was not built yet has no edges."""
        graph = cls()
        own = _calls(model)
        for layer in model.layers:
            found = graph.nodes_by_id.get(layer.name) or graph.add_node(Node.from_keras(layer))
            for call in getattr(layer, "_inbound_nodes", ()):
                if not own or call in own:
                    for other in _callers(call):
                        source = graph.nodes_by_id.get(other.name) or graph.add_node(Node.from_keras(other))
                        graph.add_edge(source, found)
        return graph

    def add_node(self, node: Node | None = None, **node_kwargs: Any) -> Node:
        """Add a node, or one of these fields; raises ValueError if both are passed."""
        if node is not None and node_kwargs:
            raise ValueError("Invalid arguments: pass a node, or the fields of one, not both")
        found = Node(**node_kwargs) if node is None else node
        self.nodes.append(found)
        self.nodes_by_id[found.id] = found
        return found

    def add_edge(self, from_node: Node, to_node: Node) -> Edge:
        """Add an edge between two nodes."""
        self.edges.append(Edge(from_node, to_node))
        return self.edges[-1]

    def pprint(self) -> None:
        """Print the edges and the nodes."""
        for edge in self.edges:
            print({"from_id": edge.from_node.id, "to_id": edge.to_node.id})  # noqa: T201 - its purpose
        for node in self.nodes:
            print(node)  # noqa: T201

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for this graph, as it is now; raises OSError."""
        self._file = self._as_file()
        return super().record(place)

    def _as_file(self) -> MediaFile:
        found = {
            "format": self.format,
            "nodes": [node._fields() for node in self.nodes],
            "edges": [[edge.from_node.id, edge.to_node.id] for edge in self.edges],
        }
        content = BytesContent(json.dumps(found, default=str).encode())
        return MediaFile(folder="graph", extension="graph.json", content=content)


def _calls(model: Any) -> list[Any]:
    """Return the calls of layers that a functional or sequential model of Keras consists of; none of other models."""
    by_depth = getattr(getattr(model, "_functional", None) or model, "_nodes_by_depth", {})
    return [call for calls in by_depth.values() for call in calls]


def _callers(call: Any) -> Iterator[Any]:
    """Yield the layers whose outputs a call of a layer has as inputs."""
    if hasattr(call, "parent_nodes"):  # Keras 3
        yield from (parent.operation for parent in call.parent_nodes)
    else:
        layers = call.inbound_layers
        yield from layers if isinstance(layers, list | tuple) else [layers]
