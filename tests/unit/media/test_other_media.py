"""Videos, sounds, HTML, 3D objects, molecules and figures: what is accepted, and what is uploaded."""

from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING, Any

import av
import matplotlib as mpl
import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest
import soundfile  # type: ignore[import-untyped]
from bokeh.plotting import figure as bokeh_figure
from matplotlib.figure import Figure

import runstream
from runstream.media.encoded import encoded_bytes
from runstream.media.graph import Node
from runstream.media.places import RunPlace
from tests.unit.media.recorded import recorded_run

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.media.base import Media

PLACE = RunPlace(None, 0).under("a")


def uploaded(value: Media) -> bytes:
    """Return the file of a value as it is uploaded."""
    return encoded_bytes(value._file)  # noqa: SLF001


@pytest.mark.parametrize("file_format", ["gif", "mp4", "webm", "ogg"])
@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (3, 5, 1, 15, 17)], ids=["plain", "batch"])
def test_frames_become_a_video(file_format: str, shape: tuple[int, ...]) -> None:
    """Each format has all frames; the videos of a batch are side by side, with an empty one up to a power of 2."""
    frames = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    video = runstream.Video(frames, fps=4, format=file_format, caption="c")
    recorded = video.record(PLACE)

    with av.open(io.BytesIO(uploaded(video)), "r") as container:
        assert len([*container.decode(video=0)]) == shape[-4]
    assert (recorded["_type"], recorded["caption"]) == ("video-file", "c")
    expected = (16, 16) if len(shape) == 4 else (68, 15)
    assert (recorded["width"], recorded["height"]) == expected


def test_frames_become_a_gif_unless_a_format_is_chosen() -> None:
    """The example of W&B's reference has no format: ``Video(frames, fps=4)``."""
    frames = np.random.default_rng(0).integers(0, 256, (10, 3, 20, 20), dtype=np.uint8)
    video = runstream.Video(frames, fps=4)

    assert video.record(PLACE)["path"].endswith(".gif")
    with av.open(io.BytesIO(uploaded(video)), "r") as container:
        assert len([*container.decode(video=0)]) == 10


@pytest.mark.parametrize(
    ("data", "arguments", "problem"),
    [
        (np.zeros((4, 3, 8, 8)), {"format": "avi"}, "format 'avi'"),
        (np.zeros((3, 8, 8)), {"format": "gif"}, "shape"),
        (np.zeros((0, 3, 8, 8)), {"format": "gif"}, "shape"),
        (np.zeros((4, 3, 8, 8)), {"format": "gif", "fps": -1}, "fps"),
        (np.zeros((4, 3, 8, 8)), {"format": "gif", "fps": "fast"}, "fps 'fast'"),
        ("film.avi", {}, "film.avi"),
        (io.BytesIO(b"x"), {}, "format None"),
        (io.StringIO("x"), {"format": "mp4"}, "binary"),
    ],
)
def test_invalid_videos_are_refused(data: Any, arguments: dict[str, Any], problem: str) -> None:
    """A missing or unknown format, an invalid shape or rate, and text instead of bytes are a ValueError."""
    with pytest.raises(ValueError, match=problem):
        runstream.Video(data, **arguments)


@pytest.mark.parametrize(
    ("samples", "rate", "problem"),
    [
        (np.zeros(5), "8k", "sample_rate '8k'"),
        (np.zeros(5), 2**40, "sample_rate"),
        (np.zeros(5), math.nan, "sample_rate nan"),
        (np.zeros((5, 2000)), 8000, r"shape \(5, 2000\)"),
        (np.zeros(5, complex), 8000, "complex"),
    ],
)
def test_invalid_sounds_are_refused(samples: Any, rate: Any, problem: str) -> None:
    """A rate or a number of channels that no WAV file can have is a ValueError at the call, not a lost file."""
    with pytest.raises(ValueError, match=problem):
        runstream.Audio(samples, sample_rate=rate)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int16", "int32", "int64", "uint8"])
def test_samples_become_a_wav_file(dtype: str) -> None:
    """Samples of any type become a file with as many channels and samples."""
    sound = runstream.Audio(np.zeros((800, 2), dtype), sample_rate=8000)
    samples, rate = soundfile.read(io.BytesIO(uploaded(sound)))

    assert (samples.shape, rate, sound.duration) == ((800, 2), 8000, 0.1)
    assert len(soundfile.read(io.BytesIO(uploaded(runstream.Audio(np.zeros(0, dtype), 8000))))[0]) == 0


def test_a_list_of_sounds_is_one_value() -> None:
    """The dict of a list has captions, rates and durations of all sounds."""
    sounds = [runstream.Audio(np.zeros(80), sample_rate=80, caption=text) for text in ("x", None)]
    recorded = runstream.Audio.record_list(sounds, PLACE)

    assert (recorded["_type"], recorded["count"], recorded["captions"]) == ("audio", 2, ["x", ""])
    assert (recorded["sampleRates"], recorded["durations"]) == ([80, 80], [1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "expected"), [("<head></head>x", "<head><base"), ("<html>x</html>", "<html><head><base")]
)
def test_a_style_is_injected_into_pages(text: str, expected: str) -> None:
    """The base style is in the head of a page, which is added if it is missing; the rest is kept."""
    assert uploaded(runstream.Html(text)).decode().startswith(expected)
    assert uploaded(runstream.Html(text, inject=False)).decode() == text


def test_a_path_is_html_unless_it_is_not_a_path(tmp_path: Path) -> None:
    """The text of a file that exists is used, and the path itself as text if that is requested; UTF-8 is required."""
    path = tmp_path / "a.html"
    path.write_text("<b>ä", encoding="utf-8")
    assert uploaded(runstream.Html(str(path), inject=False)).decode() == "<b>ä"
    assert uploaded(runstream.Html(str(path), inject=False, data_is_not_path=True)).decode() == str(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"a\.html: not UTF-8"):
        runstream.Html(path)


@pytest.mark.parametrize("columns", [3, 4, 6])
def test_points_are_stored_as_json(columns: int) -> None:
    """A point cloud is a JSON file of its rows."""
    points = np.arange(2 * columns).reshape(2, columns)
    value = runstream.Object3D.from_numpy(points)

    assert json.loads(uploaded(value)) == points.tolist()
    assert value.record(PLACE)["path"].endswith(".pts.json")


def test_a_scene_has_points_boxes_and_vectors() -> None:
    """The corners of a box follow from its center, size and rotation."""
    quarter = (np.sqrt(0.5), 0, 0, np.sqrt(0.5))
    box = runstream.box3d(center=(1, 1, 1), size=(4, 2, 2), orientation=quarter, color=(1, 0, 0), label="b")
    value = runstream.Object3D.from_point_cloud([[0, 0, 0]], [box])
    stored = json.loads(uploaded(value))

    assert stored["type"] == "lidar/beta"
    assert np.ptp(stored["boxes"][0]["corners"], axis=0).round(6).tolist() == [2, 4, 2]
    assert stored["vectors"] == []
    with pytest.raises(ValueError, match="Invalid boxes of a scene"):
        runstream.Object3D({"type": "lidar/beta", "boxes": "x"})


@pytest.mark.parametrize("name", ["a.obj", "a.gltf", "a.glb", "a.babylon", "a.stl", "a.pts.json"])
def test_models_are_files_with_their_extension(tmp_path: Path, name: str) -> None:
    """Paths and open files are copied; an open file in memory needs its type."""
    path = tmp_path / name
    path.write_bytes(b"model")
    extension = name.partition(".")[2]
    with path.open("rb") as file:
        values = [runstream.Object3D(path), runstream.Object3D(file)]
    for value in [*values, runstream.Object3D.from_file(io.StringIO("model"), file_type=extension)]:
        assert uploaded(value) == b"model"
        assert value.record(PLACE)["path"].endswith(f".{extension}")


def test_molecules_are_files_with_their_extension(tmp_path: Path) -> None:
    """The type of a molecule is that of its file or is passed; others are refused with the name of the file."""
    (tmp_path / "a.pdb").write_text("ATOM")
    assert runstream.Molecule(tmp_path / "a.pdb").record(PLACE)["path"].endswith(".pdb")
    assert uploaded(runstream.Molecule(io.StringIO("ATOM"), file_type="pdb")) == b"ATOM"
    for invalid in (tmp_path / "a.txt", io.StringIO("ATOM"), 5):
        with pytest.raises(ValueError, match="Invalid"):
            runstream.Molecule(invalid)
    with pytest.raises(FileNotFoundError, match=r"none\.pdb"):
        runstream.Molecule(tmp_path / "none.pdb")


def test_figures_are_logged_as_they_are(tmp_path: Path) -> None:
    """Figures of plotly and matplotlib are recorded as charts of plotly; those with images as images."""
    mpl.use("Agg")
    lines, images = Figure(), Figure()
    lines.subplots().plot([1, 2, 3])
    images.subplots().imshow(np.zeros((4, 4)))
    plotly = go.Figure(go.Scatter(y=[1.0, float("nan")]))
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"plotly": plotly, "lines": lines, "images": images, "axes": images.axes[0]})

    kinds = {key: value["_type"] for key, value in recorded.rows[0].items()}
    assert kinds.pop("lines") in {"plotly-file", "image-file"}  # depends on the versions of the libraries
    assert kinds == {"plotly": "plotly-file", "images": "image-file", "axes": "image-file"}
    assert json.loads(recorded.content(0))["data"][0]["y"] == [1.0, None]


def test_charts_of_bokeh_are_json(tmp_path: Path) -> None:
    """A model is stored in a document; a JSON file is copied, and anything else refused."""
    chart = bokeh_figure()
    chart.line([1, 2], [3, 4])
    assert json.loads(uploaded(runstream.Bokeh(chart)))["roots"]
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json"):
        runstream.Bokeh(tmp_path / "a.json")
    with pytest.raises(TypeError, match="Bokeh"):
        runstream.Bokeh(5)


def test_a_graph_holds_nodes_and_edges() -> None:
    """The file of a graph has the nodes and edges that it has when it is recorded."""
    graph = runstream.Graph()
    one, other = graph.add_node(id=1, name="a", class_name="Dense"), graph.add_node(id=2, name="b")
    graph.add_edge(one, other)
    graph.record(PLACE)

    stored = json.loads(uploaded(graph))
    assert [node["name"] for node in stored["nodes"]] == ["a", "b"]
    assert stored["edges"] == [[1, 2]]


def test_a_node_can_be_copied_and_changed() -> None:
    """Everything but its id is copied, and its fields are attributes."""
    node = Node(id=1, name="a", num_parameters=4)
    copy = Node(id=2, node=node)
    copy.class_name = "Dense"

    assert copy.record(PLACE) == {"id": 2, "name": "a", "class_name": "Dense", "num_parameters": 4}
    assert node.class_name is None
    with pytest.raises(ValueError, match="colour"):
        Node(colour=1)
