"""Recognizing media among logged values."""

from __future__ import annotations

from typing import Any

import pytest

from runstream_consumers.web.media.values import MOST_ITEMS, at_path, media_in, media_of

_IMAGE = {"_type": "image-file", "path": "media/images/a.png", "format": "png", "width": 3, "height": 2}


@pytest.mark.parametrize(
    ("value", "kind", "paths"),
    [
        (_IMAGE, "image", ["media/images/a.png"]),
        ({"_type": "images/separated", "count": 2, "filenames": ["a.png", "b.png"]}, "image", ["a.png", "b.png"]),
        ({"_type": "audio", "count": 1, "audio": [{"_type": "audio-file", "path": "a.wav"}]}, "audio", ["a.wav"]),
        ({"_type": "videos", "count": 1, "videos": [{"path": "a.mp4"}]}, "video", ["a.mp4"]),
        ({"_type": "html", "count": 1, "html": [{"path": "a.html"}]}, "html", ["a.html"]),
        ({"_type": "molecule", "filenames": ["a.pdb"]}, "molecule", ["a.pdb"]),
        ({"_type": "table-file", "path": "t.table.json", "nrows": 3}, "table", ["t.table.json"]),
        (
            {**_IMAGE, "masks": {"m": {"path": "m.png"}}, "boxes": {"b": {"path": "b.json"}}},
            "image",
            ["media/images/a.png", "b.json", "m.png"],
        ),
    ],
)
def test_media_have_a_kind_and_files(value: Any, kind: str, paths: list[str]) -> None:
    """Single media, lists of them, and what is drawn over an image."""
    media = media_of(value)
    assert media is not None
    assert (media.kind, list(media.paths())) == (kind, paths)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "image-file",
        [_IMAGE],
        {"_type": ["image-file"]},
        {"_type": "image-file"},
        {"_type": "image-file", "path": 7},
        {"_type": "image-file", "path": ""},
        {"_type": "images/separated", "filenames": "a.png"},
        {"_type": "images/separated", "filenames": [None, 3]},
        {"_type": "audio", "audio": [7, {"path": None}]},
        {"_type": "histogram", "values": [1], "bins": [0, 1]},
    ],
)
def test_other_values_are_no_media(value: Any) -> None:
    """Malformed media are shown as the values that they are."""
    assert media_of(value) is None


def test_hostile_fields_are_left_out() -> None:
    """Captions, sizes and overlays of another type than expected are as if they were missing."""
    value = {**_IMAGE, "caption": ["x"], "width": True, "height": -1, "boxes": [1], "masks": {"m": 1, "n": {"path": 1}}}
    media = media_of(value)
    assert media is not None
    (item,) = media.items
    assert (item.caption, item.width, item.height, item.boxes, item.masks) == ("", None, None, (), ())


def test_a_long_list_is_cut() -> None:
    """The items that are shown are limited, their number is not."""
    names = [f"{number}.png" for number in range(MOST_ITEMS + 50)]
    media = media_of({"_type": "images/separated", "filenames": names, "count": len(names)})
    assert media is not None
    assert (len(media.items), media.count) == (MOST_ITEMS, len(names))
    assert str(media) == f"{len(names)} images"


def test_media_are_found_in_nested_dicts_by_their_path() -> None:
    """The path of a value joins the keys by dots; keys may have dots themselves."""
    tree = {"val": {"deep.img": _IMAGE}, "loss": 1.0, "val.direct": _IMAGE}
    assert [key for key, _ in media_in(tree)] == ["val.deep.img", "val.direct"]
    assert at_path(tree, "val.deep.img") == at_path(tree, "val.direct") == _IMAGE
    assert at_path(tree, "val.missing") is None
