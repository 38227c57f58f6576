"""Further media and charts of W&B under their names; like the others, they are left out where they are logged."""

from __future__ import annotations

from runstream.unsupported_media import UnsupportedMedia

#: Every placeholder is an instance of these.
BatchableMedia = Media = WBValue = UnsupportedMedia


def _placeholder(name: str, doc: str) -> type[UnsupportedMedia]:
    return type(name, (UnsupportedMedia,), {"__doc__": doc, "__module__": __name__})


Bokeh = _placeholder("Bokeh", "A Bokeh plot.")
BoundingBoxes2D = _placeholder("BoundingBoxes2D", "Boxes on an image.")
ImageMask = _placeholder("ImageMask", "A mask of an image.")
Node = _placeholder("Node", "A node of a graph.")
PartitionedTable = _placeholder("PartitionedTable", "A table in several parts.")
Trace = _placeholder("Trace", "A trace of calls of models.")
Visualize = _placeholder("Visualize", "A chart of a table.")
WBTraceTree = _placeholder("WBTraceTree", "A tree of traces.")
box3d = _placeholder("box3d", "A box in a point cloud.")
visualize = _placeholder("visualize", "A chart of a table.")
