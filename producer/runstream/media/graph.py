"""Graphs of models as values to log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from runstream.media.base import Media, WBValue
from runstream.media.content import BytesContent, MediaFile

if TYPE_CHECKING:
    from runstream.media.base import MediaPlace

_FIELDS = ("id", "name", "class_name", "size", "parameters", "output_shape", "is_output", "num_parameters")


class Node(WBValue):
    """A node of a graph: ``id``, ``name``, ``class_name``, ``size``, ``parameters``, ``output_shape`` and so on."""

    def __init__(self, id: Any = None, name: str | None = None, class_name: str | None = None, **fields: Any) -> None:  # noqa: A002 - W&B's name
        if unknown := fields.keys() - set(_FIELDS):
            raise ValueError(f"Invalid argument {min(unknown)!r} of Node: expected {', '.join(_FIELDS)}")
        self.id = id
        self.name = name
        self._fields = {"id": id, "name": name, "class_name": class_name, **fields}

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - it has no file
        """Return the fields that are set."""
        return {name: value for name, value in self._fields.items() if value is not None or name == "name"}


class Graph(Media):
    """Nodes and the edges between them. ``format`` names the kind of the graph."""

    _log_type: ClassVar[str] = "graph-file"

    def __init__(self, format: str = "keras") -> None:  # noqa: A002 - W&B's name
        self.format = format
        self.nodes: list[Node] = []
        self.nodes_by_id: dict[Any, Node] = {}
        self.edges: list[tuple[Node, Node]] = []
        super().__init__(self._as_file())

    def __getitem__(self, nid: Any) -> Node:
        return self.nodes_by_id[nid]

    def add_node(self, node: Node | None = None, **node_kwargs: Any) -> Node:
        """Add a node, or one of these fields; raises ValueError if both are passed."""
        if node is not None and node_kwargs:
            raise ValueError("Invalid arguments: pass a node, or the fields of one, not both")
        found = Node(**node_kwargs) if node is None else node
        self.nodes.append(found)
        self.nodes_by_id[found.id] = found
        return found

    def add_edge(self, from_node: Node, to_node: Node) -> tuple[Node, Node]:
        """Add an edge between two nodes."""
        self.edges.append((from_node, to_node))
        return self.edges[-1]

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for this graph, as it is now; raises OSError."""
        self._file = self._as_file()
        return super().record(place)

    def _as_file(self) -> MediaFile:
        found = {
            "format": self.format,
            "nodes": [node._fields for node in self.nodes],
            "edges": [[one.id, other.id] for one, other in self.edges],
        }
        content = BytesContent(json.dumps(found, default=str).encode())
        return MediaFile(folder="graph", extension="graph.json", content=content)
