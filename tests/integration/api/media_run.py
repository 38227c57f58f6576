"""A run with media of every kind, with the files that clients upload for them."""

from __future__ import annotations

import io
import json
import struct
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.integration.api.conftest import new_recording

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording

COLUMNS = ["name", "score", "picture"]
#: A text that is stored as a file.
STORY = b"Once upon a time. " * 1000


def picture(width: int, height: int, seed: int = 0) -> bytes:
    """Return a PNG with a gradient."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack(
        [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), np.full_like(x, seed * 40 % 256)], -1
    )
    return _png(Image.fromarray(pixels.astype(np.uint8)))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def _mask(width: int, height: int) -> bytes:
    pixels = np.zeros((height, width), np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = 1
    pixels[height // 2 :, width // 2 :] = 2
    return _png(Image.fromarray(pixels))


def _sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        samples = (20_000 * np.sin(np.arange(8000) * 440 * 2 * np.pi / 8000)).astype(int)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


def image_value(path: str, width: int, height: int, **more: Any) -> dict[str, Any]:
    """Return what a row holds of an image."""
    return {"_type": "image-file", "path": path, "format": "png", "width": width, "height": height, **more}


def table_file(rows: list[list[Any]], columns: list[str] | None = None) -> bytes:
    """Return the file of a table."""
    return json.dumps({"columns": columns or COLUMNS, "data": rows}).encode()


def media_run(run_id: str, project: str = "media") -> Recording:
    """Return a run that has ended: images over three steps, with boxes and masks, a list, a table, and the others."""
    run = new_recording(run_id, project=project).start({"lr": 0.1}, name="bold-river-7")
    folder = "media/images"
    for step in range(3):
        run.file(f"{folder}/sample_{step}.png", picture(160, 120, step))
        for number in range(4):
            run.file(f"{folder}/digits_{step}_{number}.png", picture(28, 28, step + number))
    run.file(f"{folder}/mask/sample_2.png", _mask(160, 120))
    box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.7}, "class_id": 1, "box_caption": "a cat"}
    run.file("media/metadata/boxes2D/sample_2.boxes2D.json", json.dumps({"box_data": [box]}).encode())
    rows: list[dict[str, Any]] = []
    for step in range(3):
        overlays = {
            "masks": {
                "ground truth": {
                    "_type": "mask",
                    "path": f"{folder}/mask/sample_2.png",
                    "class_labels": {"0": "sky", "1": "fur", "2": "grass", "3": "not in it"},
                }
            },
            "boxes": {"predictions": {"_type": "boxes2D", "path": "media/metadata/boxes2D/sample_2.boxes2D.json"}},
        }
        rows.append(
            {
                "loss": 1 / (step + 1),
                "sample": image_value(
                    f"{folder}/sample_{step}.png", 160, 120, caption=f"step {step}", **(overlays if step == 2 else {})
                ),
                "digits": {
                    "_type": "images/separated",
                    "width": 28,
                    "height": 28,
                    "format": "png",
                    "count": 4,
                    "filenames": [f"{folder}/digits_{step}_{number}.png" for number in range(4)],
                    "captions": [f"digit {number}" for number in range(4)],
                },
            }
        )
    pictures = [image_value(f"{folder}/digits_2_{number % 4}.png", 28, 28) for number in range(25)]
    cells = [[f"row {number}", (number * 7) % 25 / 10, pictures[number]] for number in range(25)]
    run.file("media/table/scores_2.table.json", table_file(cells))
    run.chart("ranking", "wandb/scatter/v0", "scores", "Scores by name", x="score", y="score")
    run.chart("unknown", "ada/radar", "scores", "Not drawn", x="score")
    run.file("media/audio/tone_2.wav", _sound())
    run.file("media/html/page_2.html", b"<h1>Hello</h1><p>From a <b>file</b>.</p>")
    points = [[float(np.cos(n / 20)), float(np.sin(n / 20)), n / 200, n % 5] for n in range(400)]
    run.file("media/object3D/cloud_2.pts.json", json.dumps(points).encode())
    figure = {
        "data": [{"type": "bar", "x": ["a", "b"], "y": [1, 3]}],
        "layout": {"title": {"text": "Bars"}, "height": 300},
    }
    run.file("media/plotly/figure_2.plotly.json", json.dumps(figure).encode())
    run.file("media/object3D/solid_2.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n").file(
        "media/object3D/bad_2.glb", b"no"
    )
    run.file("media/values/story_2.txt", STORY)
    run.file("media/lost.png", lost="the image has no pixels").file("media/later.png")
    rows.append(
        {
            "scores": {
                "_type": "table-file",
                "path": "media/table/scores_2.table.json",
                "ncols": 3,
                "nrows": len(cells),
            },
            "tone": {"_type": "audio-file", "path": "media/audio/tone_2.wav", "caption": "440 Hz"},
            "page": {"_type": "html-file", "path": "media/html/page_2.html"},
            "cloud": {"_type": "object3D-file", "path": "media/object3D/cloud_2.pts.json"},
            "figure": {"_type": "plotly-file", "path": "media/plotly/figure_2.plotly.json"},
            "solid": {"_type": "object3D-file", "path": "media/object3D/solid_2.obj"},
            "bad": {"_type": "object3D-file", "path": "media/object3D/bad_2.glb"},
            "story": {"_type": "value-file", "path": "media/values/story_2.txt", "size": len(STORY)},
            "molecule": {"_type": "molecule-file", "path": "media/molecule/caffeine_2.pdb"},
            "lost": image_value("media/lost.png", 4, 4),
            "later": image_value("media/later.png", 4, 4),
        }
    )
    run.file("media/molecule/caffeine_2.pdb", b"HEADER    CAFFEINE\n").file("config.yaml", b"lr: 0.1\n")
    return run.rows(rows).exit()
