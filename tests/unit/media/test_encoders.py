"""The process that encodes media files."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from runstream.media.encoders import EncodeError, encode

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS = {"kind": "image", "format": "png", "shape": [2, 2], "dtype": "|u1", "layout": "HW", "mode": "L"}


def test_the_process_answers_each_request_in_turn(tmp_path: Path) -> None:
    """A file that can be encoded, one that cannot, and an invalid request have an answer each."""
    (tmp_path / "source").write_bytes(bytes([0, 50, 100, 150]))
    paths = {"source": str(tmp_path / "source"), "target": str(tmp_path / "target.png")}
    requests = [
        {"id": 1, **paths, "encode": ARGUMENTS},
        {"id": 2, **paths, "encode": {**ARGUMENTS, "shape": [3, 3]}},
        {"id": 3, **paths, "encode": {"kind": "no"}},
        {"id": 4},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "runstream.media.encoders"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    assert answers[0] == {"id": 1}
    assert [answer["id"] for answer in answers] == [1, 2, 3, None]
    assert all("error" in answer for answer in answers[1:])
    with Image.open(tmp_path / "target.png") as image:
        assert image.tobytes() == bytes([0, 50, 100, 150])


def test_an_error_names_what_cannot_be_encoded(tmp_path: Path) -> None:
    """The error has the kind of the file, and the reason of the library."""
    with pytest.raises(EncodeError, match=r"Cannot encode this image: FileNotFoundError"):
        encode(ARGUMENTS, tmp_path / "none", tmp_path / "target")
