"""Images: which arrays, files and objects are accepted, and which pixels are stored."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pillow

import runstream
from runstream.media.encoded import encoded_bytes
from runstream.media.places import RunPlace
from tests.unit.media.recorded import recorded_run

if TYPE_CHECKING:
    from pathlib import Path


class Tensor:
    """Like a tensor of torch, as far as images are concerned."""

    __module__ = "torch"

    def __init__(self, array: Any) -> None:
        self._array = array
        self.dtype = array.dtype

    def detach(self) -> Tensor:
        """Return this tensor."""
        return self

    def cpu(self) -> Tensor:
        """Return this tensor."""
        return self

    def numpy(self) -> Any:
        """Return the array."""
        return self._array


def pixels(image: runstream.Image) -> Any:
    """Return the pixels of an image as it is uploaded."""
    return np.asarray(image.image)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((4, 6), "L"),
        ((4, 6, 1), "L"),
        ((4, 6, 3), "RGB"),
        ((4, 6, 4), "RGBA"),
        ((1, 4, 6, 3), "RGB"),
        ((3, 4, 6), "RGB"),
    ],
)
def test_arrays_of_the_usual_layouts(shape: tuple[int, ...], mode: str) -> None:
    """The mode follows from the channels, which may be the first or the last dimension."""
    array = (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)
    image = runstream.Image(array)
    recorded = image.record(RunPlace(None, 0).under("a"))

    assert (recorded["width"], recorded["height"], recorded["format"]) == (6, 4, "png")
    assert image.image.mode == mode
    expected = array.transpose(1, 2, 0) if shape == (3, 4, 6) else array
    assert (pixels(image) == expected.reshape(pixels(image).shape)).all()


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64", "float32", "float16", ">f4", "bool", "uint16"])
def test_numbers_are_stored_as_bytes(dtype: str) -> None:
    """Numbers of any type within 0..255 are stored as they are, without scaling."""
    array = np.array([[0, 1], [1, 0]] if dtype == "bool" else [[0, 1], [200, 255]]).astype(dtype)

    assert (pixels(runstream.Image(array)) == array.astype(int)).all()


def test_normalize_spreads_numbers_over_the_bytes() -> None:
    """Floats within 0..1 reach 255, and negative ones are shifted; without it they are cut."""
    unit, negative = np.array([[0.0, 0.5, 1.0]]), np.array([[-1.0, 0.0, 1.0]])

    assert pixels(runstream.Image(unit, normalize=True)).tolist() == [[0, 127, 255]]
    assert pixels(runstream.Image(negative, normalize=True)).tolist() == [[0, 127, 255]]
    assert pixels(runstream.Image(unit)).tolist() == [[0, 0, 1]]


def test_tensors_have_channels_first_and_floats_within_0_and_1() -> None:
    """A tensor is (channels, height, width) even if it could be read otherwise; its floats are scaled."""
    tensor = Tensor(np.ones((3, 5, 3), np.float32))

    assert pixels(runstream.Image(tensor)).shape == (5, 3, 3)
    assert pixels(runstream.Image(tensor)).max() == 255


def test_a_batch_of_tensors_is_a_grid() -> None:
    """Ten images of 4 x 6 make two rows of eight columns, with two pixels around each."""
    image = runstream.Image(Tensor(np.full((10, 1, 4, 6), 9, np.uint8)))

    assert pixels(image).shape == (2 * 6 + 2, 8 * 8 + 2, 3)
    assert image.record(RunPlace(None, 0))["width"] == 8 * 8 + 2
    assert pixels(image)[2, 2].tolist() == [9, 9, 9]
    assert pixels(image)[0, 0].tolist() == [0, 0, 0]


def test_an_image_is_a_copy_of_the_array() -> None:
    """A change of the array after the image was made is not in the image."""
    array = np.zeros((4, 4), np.uint8)
    image = runstream.Image(array)
    array[:] = 7

    assert pixels(image).max() == 0


@pytest.mark.parametrize("size", [(8, 8), (512, 512)], ids=["small", "large"])
def test_a_logged_array_is_staged_as_raw_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    """The training process stages the pixels, and says how to encode them; the same image can be logged twice."""
    array = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    with recorded_run(tmp_path) as recorded:
        image = runstream.Image(array)
        recorded.run.log({"a": image})
        recorded.run.log({"b": image})
        array[:] = 0
        assert recorded.content_now(1) == recorded.content_now(0)

    assert recorded.files[0]["encode"]["kind"] == "image"
    assert recorded.files[0]["size"] == array.nbytes
    assert recorded.content(1) == recorded.content(0) != array.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "LA", "YCbCr", "HSV"])
@pytest.mark.parametrize("file_type", ["png", "jpg", "bmp"])
def test_images_of_pillow_of_any_mode(mode: str, file_type: str) -> None:
    """An image of any mode is stored in any format, converted where the format does not have the mode."""
    image = runstream.Image(Pillow.new(mode, (5, 4)), file_type=file_type)

    assert image.image.size == (5, 4)


def test_numbers_of_16_bits_are_kept() -> None:
    """Images of Pillow with more than 8 bits are stored with 16 as PNG."""
    numbers = np.array([[0, 300], [65_535, 7]])

    for dtype in ("int32", "uint16"):
        assert pixels(runstream.Image(Pillow.fromarray(numbers.astype(dtype)))).tolist() == numbers.tolist()


def test_colors_of_a_palette_are_kept() -> None:
    """An image with a palette has the same colors afterwards."""
    given = Pillow.new("RGB", (3, 2), (10, 200, 30)).quantize(4)

    assert runstream.Image(given).image.convert("RGB").getpixel((0, 0)) == given.convert("RGB").getpixel((0, 0))


def test_files_are_copied_as_they_are(tmp_path: Path) -> None:
    """A path is recorded with the size and the extension of the file, whose bytes are not encoded anew."""
    path = tmp_path / "photo.jpeg"
    Pillow.new("RGB", (7, 5)).save(path)
    for given in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        image = runstream.Image(given, caption="c")
        recorded = image.record(RunPlace(None, 0).under("a"))
        assert (recorded["width"], recorded["height"], recorded["caption"]) == (7, 5, "c")
        assert encoded_bytes(image._file) == path.read_bytes()  # noqa: SLF001
        assert recorded["path"].endswith((".jpeg", ".jpg"))


def test_an_image_can_be_made_of_another_one() -> None:
    """It has the pixels, the caption and the size of the other, unless they are passed."""
    image = runstream.Image(np.zeros((4, 6), np.uint8), caption="c", file_type="bmp")
    other = runstream.Image(image)

    assert other.record(RunPlace(None, 0))["caption"] == "c"
    assert other.record(RunPlace(None, 0))["format"] == "bmp"


def test_a_list_of_images_is_one_value() -> None:
    """The dict of a list names all files, with their captions, and the size and the format of the first one."""
    images = [runstream.Image(np.zeros((4, 6), np.uint8), caption=text) for text in ("x", None)]
    recorded = runstream.Image.record_list(images, RunPlace(None, 0).under("a"))

    assert {name: recorded[name] for name in ("_type", "count", "width", "height", "format", "captions")} == {
        "_type": "images/separated",
        "count": 2,
        "width": 6,
        "height": 4,
        "format": "png",
        "captions": ["x", None],
    }
    assert len(set(recorded["filenames"])) == 2
    empty = [runstream.Image(np.zeros((4, 6), np.uint8), caption=text) for text in ("", None)]
    assert runstream.Image.record_list(empty, RunPlace(None, 0))["captions"] == ["", None]


def test_only_the_first_images_of_a_long_list_are_recorded(tmp_path: Path) -> None:
    """A list of more images than fit on a page is cut, as in W&B."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"a": [runstream.Image(np.zeros((2, 2), np.uint8))] * 120})

    assert recorded.rows[0]["a"]["count"] == runstream.Image.MAX_ITEMS == len(recorded.files)


BOX = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}, "class_id": 1, "scores": {"p": 0.5}}


def test_boxes_and_masks_are_files_of_their_own(tmp_path: Path) -> None:
    """The dict of the image names the files of its masks and boxes."""
    array = np.zeros((2, 2, 3), np.uint8)
    masks = {"m": {"mask_data": np.array([[0, 1], [1, 2]]), "class_labels": {1: "cat"}}}
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"a": runstream.Image(array, boxes={"b": {"box_data": [BOX]}}, masks=masks)})

    value = recorded.rows[0]["a"]
    paths = [value["path"], value["boxes"]["b"]["path"], value["masks"]["m"]["path"]]
    assert [file["path"] for file in recorded.files] == paths
    assert (value["boxes"]["b"]["_type"], value["masks"]["m"]["_type"]) == ("boxes2D", "mask")
    assert value["masks"]["m"]["class_labels"] == {"1": "cat"}
    assert json.loads(recorded.content(1)) == {"box_data": [BOX]}  # with class_labels if they are passed
    assert paths[1].startswith("media/metadata/boxes2D/a_0_")
    assert paths[2].startswith("media/images/mask/a_0_")


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((2, 2, 7)), r"shape \(2, 2, 7\)"),
        (np.zeros((4, 6, 5)), r"shape \(4, 6, 5\)"),
        (np.zeros((4, 6, 2)), r"shape \(4, 6, 2\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.array([["a"]]), "expected numbers"),
        (np.array([[object()]]), "expected numbers"),
        (np.broadcast_to(np.uint8(0), (70_000, 2)), "70000"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "20000 x 20000"),
        (1, r"shape \(\)"),
    ],
)
def test_what_is_no_image_is_refused(array: Any, problem: str) -> None:
    """Wrong shapes, types and sizes are a ValueError that names them, before any pixel is copied."""
    with pytest.raises(ValueError, match=problem):
        runstream.Image(array)


@pytest.mark.parametrize("arguments", [{"file_type": "xyz"}, {"mode": "no"}, {"boxes": [BOX]}, {"masks": [1]}])
def test_invalid_arguments_are_refused(arguments: dict[str, Any]) -> None:
    """Unknown file types and modes, and boxes and masks that are not a dict, are a ValueError."""
    with pytest.raises(ValueError, match="Invalid"):
        runstream.Image(np.zeros((2, 2), np.uint8), **arguments)


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    """Missing, damaged and very large files are refused by their header, with an error that names the file."""
    (tmp_path / "text.png").write_text("no image")
    Pillow.new("1", (1, 1)).save(tmp_path / "bomb.png")
    data = bytearray((tmp_path / "bomb.png").read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(data)

    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        runstream.Image(tmp_path / "none.png")
    with pytest.raises(OSError, match=r"text\.png"):
        runstream.Image(tmp_path / "text.png")
    with pytest.raises((ValueError, OSError), match=r"bomb\.png"):
        runstream.Image(tmp_path / "bomb.png")


def test_arrays_in_files_are_arrays(tmp_path: Path) -> None:
    """A memory-mapped array, which also has a mode, is no image of Pillow."""
    mapped = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=(4, 6))
    mapped[:] = 5

    assert (pixels(runstream.Image(mapped)) == 5).all()


def test_pipes_are_refused(tmp_path: Path) -> None:
    """What is not a regular file is an OSError that names it; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe.gif")
    for kind in (runstream.Image, runstream.Video, runstream.Audio):
        with pytest.raises(OSError, match=r"pipe\.gif"):
            kind(tmp_path / "pipe.gif")


def test_a_url_is_for_artifacts(tmp_path: Path) -> None:
    """The URL of an image cannot be logged, since nothing is downloaded in the training process."""
    with recorded_run(tmp_path) as recorded, pytest.raises(runstream.DataError, match="download it"):
        recorded.run.log({"a": runstream.Image("https://example.com/a.png")})
