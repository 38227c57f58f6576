"""Child processes that encode files are started on demand, restarted, and bounded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from runstream.shipper.uploads.content import LostError
from runstream.shipper.uploads.encoders import Encoders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Speaks the protocol of ``python -m runstream.media.encoders``; the kind of a request is what happens.
CHILD = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    kind = request["encode"]["kind"]
    marker = request["target"] + ".died"
    if kind == "die" or (kind == "die once" and not os.path.exists(marker)):
        open(marker, "w").close()
        os._exit(3)
    if kind == "hang":
        time.sleep(1000)
    if kind == "memory":
        bytearray(1 << 40)
    print("noise of a library")
    answer = {"id": request["id"]}
    if kind == "refuse":
        answer["error"] = "not an image"
    else:
        open(request["target"], "w").write(open(request["source"]).read().upper() + str(os.getpid()))
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def encoders() -> Iterator[Encoders]:
    """Return encoders with short deadlines for files that hang."""
    encoders = Encoders((sys.executable, "-c", CHILD), deadline_s=10.0)
    yield encoders
    encoders.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a staged file."""
    path = tmp_path / "raw"
    path.write_text("abc")
    return path


def test_a_process_encodes_many_files(encoders: Encoders, source: Path, tmp_path: Path) -> None:
    """A process is used again; what a library prints does not matter."""
    for name in ("1", "2"):
        encoders.encode(source, tmp_path / name, {"kind": "image"})

    texts = [(tmp_path / name).read_text() for name in ("1", "2")]
    assert texts[0] == texts[1]
    assert texts[0].startswith("ABC")


def test_process_that_dies_once_is_replaced(encoders: Encoders, source: Path, tmp_path: Path) -> None:
    """A file is tried again in another process."""
    encoders.encode(source, tmp_path / "out", {"kind": "die once"})

    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("die", "failed 2 times: its process ended with status 3"),
        ("memory", "failed 2 times"),
        ("refuse", "not an image"),
    ],
)
def test_file_that_cannot_be_encoded_is_lost(
    encoders: Encoders, source: Path, tmp_path: Path, kind: str, reason: str
) -> None:
    """A file that ends two processes, or that the encoder refuses, is lost; the next one is encoded."""
    with pytest.raises(LostError, match=reason):
        encoders.encode(source, tmp_path / "out", {"kind": kind})
    encoders.encode(source, tmp_path / "next", {"kind": "image"})

    assert (tmp_path / "next").exists()


def test_file_that_takes_too_long_is_lost(source: Path, tmp_path: Path) -> None:
    """A process that does not answer in time is killed."""
    encoders = Encoders((sys.executable, "-c", CHILD), deadline_s=0.05)
    with pytest.raises(LostError, match="no answer in time"):
        encoders.encode(source, tmp_path / "out", {"kind": "hang"})
    encoders.close()
