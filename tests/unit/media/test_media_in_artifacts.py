"""Media in artifacts: the files that they become, and the values that are read from these."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest

import runstream
from runstream.artifacts.content import CLASSES, to_object
from runstream.artifacts.media_place import files_of
from runstream.media.encoded import encoded_bytes

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Folder:
    """The files of an artifact in a folder."""

    path: Path

    def get_entry(self, name: str) -> Folder:
        """Return an entry."""
        return Folder(self.path / name)

    def download(self) -> str:
        """Return the path of an entry."""
        return str(self.path)


def stored(value: Any, folder: Path) -> Any:
    """Store a value as files of an artifact, and return what is read from them."""
    description, *others = files_of(value, "value")
    for file in others:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(file.content, bytes)
        target.write_bytes(file.content)
    kind = description.path.removeprefix("value.").removesuffix(".json")
    assert kind in CLASSES
    assert isinstance(description.content, bytes)
    return to_object(kind, json.loads(description.content), Folder(folder))


@pytest.mark.parametrize(
    "make",
    [
        lambda: runstream.Image(np.full((4, 6, 3), 9, np.uint8), caption="c"),
        lambda: runstream.Video(np.zeros((2, 3, 8, 8), np.uint8), format="gif", caption="c"),
        lambda: runstream.Audio(np.zeros(80), sample_rate=80, caption="c"),
        lambda: runstream.Html("<p>x"),
        lambda: runstream.Object3D(np.zeros((2, 3)), caption="c"),
        lambda: runstream.Molecule(io.StringIO("ATOM"), file_type="pdb", caption="c"),
        lambda: runstream.Plotly(go.Figure(go.Scatter(y=[1, 2]))),
    ],
    ids=["image", "video", "audio", "html", "object3d", "molecule", "plotly"],
)
def test_a_value_is_the_same_when_it_is_read(make: Any, tmp_path: Path) -> None:
    """Class, file and caption of the value that is read from an artifact are those of the value that was added."""
    value = make()
    found = stored(value, tmp_path)

    assert type(found) is type(value)
    assert found._caption == value._caption  # noqa: SLF001
    assert encoded_bytes(found._file) == encoded_bytes(value._file)  # noqa: SLF001


def test_an_image_keeps_classes_boxes_and_masks(tmp_path: Path) -> None:
    """Boxes, masks and the names of classes are stored with an image; without classes it is refused."""
    box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}, "class_id": 1}
    labels = {1: "cat"}
    image = runstream.Image(
        np.zeros((4, 6), np.uint8),
        boxes={"b": {"box_data": [box], "class_labels": labels}},
        masks={"m": {"mask_data": np.ones((4, 6), int), "class_labels": labels}},
    )
    found = stored(image, tmp_path)

    assert found._classes.names == {1: "cat"}  # noqa: SLF001
    assert set(found._boxes) == {"b"}  # noqa: SLF001
    assert set(found._masks) == {"m"}  # noqa: SLF001
    unnamed = {"b": {"box_data": [{"position": box["position"]}]}}
    with pytest.raises(ValueError, match="needs the argument classes"):
        files_of(runstream.Image(np.zeros((4, 6), np.uint8), boxes=unnamed), "value")


def test_the_url_of_an_image_is_a_reference() -> None:
    """An artifact refers to the URL; nothing is downloaded."""
    artifact = runstream.Artifact("a", "dataset")
    artifact.add(runstream.Image("https://example.com/a.png", caption="c"), "value")
    references = [entry for entry in artifact.manifest.entries.values() if entry.ref]

    assert [entry.ref for entry in references] == ["https://example.com/a.png"]
    assert "value.image-file.json" in artifact.manifest.entries
