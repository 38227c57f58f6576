"""Recognizing media among logged values, and reading them into one form. Pure; values are what any client sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What a page shows for a ``_type``. Lists of media have types of their own.
KINDS: Mapping[str, str] = {
    "image-file": "image",
    "images/separated": "image",
    "images": "image",
    "video-file": "video",
    "videos": "video",
    "audio-file": "audio",
    "audio": "audio",
    "html-file": "html",
    "html": "html",
    "object3D-file": "object3d",
    "object3D": "object3d",
    "molecule-file": "molecule",
    "molecule": "molecule",
    "table-file": "table",
    "incremental-table-file": "table",
    "joined-table": "file",
    "partitioned-table": "file",
    "plotly-file": "plotly",
    "plotly": "plotly",
    "bokeh-file": "file",
    "graph-file": "file",
    "value-file": "text",
}
#: In the order in which a page shows them.
KINDS_IN_ORDER = ("image", "video", "audio", "plotly", "object3d", "molecule", "text", "file", "html", "table")
#: Items of a list that are shown.
MOST_ITEMS = 200
#: Fields of lists that hold the dict of each item.
_LISTS = ("audio", "videos", "html", "objects", "plotly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """The boxes or the mask of an image: a file, and the names of the classes."""

    name: str
    path: str
    classes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of a media value."""

    path: str
    caption: str = ""
    width: int | None = None
    height: int | None = None
    #: Of a table: its rows, and the number of this file if the table is logged in increments.
    rows: int | None = None
    increment: int | None = None
    #: In bytes, if the value has it.
    size: int | None = None
    boxes: tuple[Overlay, ...] = ()
    masks: tuple[Overlay, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A media value: its kind, the items that are shown, and how many there are."""

    kind: str
    items: tuple[Item, ...]
    count: int

    def __str__(self) -> str:
        """Return the kind, and how many there are or how large it is."""
        if self.count > 1:
            return f"{self.count} {self.kind}s"
        item = self.items[0]
        if item.size is not None and self.kind == "text":
            return f"text of {item.size / 1e6:.1f} MB"
        size = f" {item.width} x {item.height}" if item.width and item.height else ""
        return f"{self.kind}{size}" + (f" of {item.rows} rows" if item.rows else "")

    @property
    def file(self) -> str | None:
        """The path of the file, if there is one only."""
        return self.items[0].path if self.count == 1 else None

    def paths(self) -> Iterator[str]:
        """Yield the paths of all files."""
        for item in self.items:
            yield item.path
            for overlay in (*item.boxes, *item.masks):
                yield overlay.path


def media_of(value: Any) -> Media | None:
    """Return the media that a logged dict describes; None for any other value."""
    if not isinstance(value, Mapping) or not isinstance(name := value.get("_type"), str) or name not in KINDS:
        return None
    items = tuple(_items(value))
    count = value.get("count")
    whole = count if isinstance(count, int) and not isinstance(count, bool) and count > len(items) else len(items)
    return Media(kind=KINDS[name], items=items[:MOST_ITEMS], count=whole) if items else None


def media_in(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Media]]:
    """Yield the media in nested dicts by their dotted path."""
    for key, value in tree.items():
        if (found := media_of(value)) is not None:
            yield f"{prefix}{key}", found
        elif isinstance(value, Mapping) and "_type" not in value:
            yield from media_in(value, f"{prefix}{key}.")


def at_path(tree: Mapping[str, Any], key: str) -> Any:
    """Return the value at a dotted path of nested dicts; None if there is none. Keys may have dots themselves."""
    if key in tree:
        return tree[key]
    for name, below in tree.items():
        if isinstance(below, Mapping) and key.startswith(f"{name}."):
            found = at_path(below, key[len(name) + 1 :])
            if found is not None:
                return found
    return None


def _items(value: Mapping[str, Any]) -> Iterator[Item]:
    captions, boxes, masks = (_list(value.get(name)) for name in ("captions", "all_boxes", "all_masks"))
    sizes = {name: value.get(name) for name in ("width", "height")}
    single = [value] if isinstance(value.get("path"), str) else []
    described = next((found for name in _LISTS if (found := _list(value.get(name)))), single)
    named = [{"path": path, **sizes} for path in _list(value.get("filenames"))]
    for number, part in enumerate(described or named):
        if isinstance(part, Mapping) and isinstance(path := part.get("path"), str) and path:
            caption = part.get("caption") or _at(captions, number)
            yield Item(
                path=path,
                caption=caption if isinstance(caption, str) else "",
                width=_size(part.get("width")),
                height=_size(part.get("height")),
                rows=_size(part.get("nrows")),
                increment=_size(part.get("increment_num")),
                size=_size(part.get("size")),
                boxes=_overlays(part.get("boxes") or _at(boxes, number)),
                masks=_overlays(part.get("masks") or _at(masks, number)),
            )


def _overlays(value: Any) -> tuple[Overlay, ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(
        Overlay(name=str(name), path=one["path"], classes=_classes(one.get("class_labels")))
        for name, one in value.items()
        if isinstance(one, Mapping) and isinstance(one.get("path"), str)
    )


def _classes(value: Any) -> dict[str, str]:
    return {str(number): str(name) for number, name in value.items()} if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(items: list[Any], number: int) -> Any:
    return items[number] if number < len(items) else None


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40 else None
