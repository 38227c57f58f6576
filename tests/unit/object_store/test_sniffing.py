"""Media types from the first bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from runstream_consumers.object_store.sniffing import BINARY, HTML, SNIFFED_BYTES, SVG, TEXT, media_type_of


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp", "tiff"])
def test_images_are_recognized(kind: str) -> None:
    """Images have the media type of their format, as Pillow writes them."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file, kind)
    assert media_type_of(file.getvalue()[:SNIFFED_BYTES]) == f"image/{kind}"


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        (b"", TEXT),
        (b"loss,accuracy\n1,2\n", TEXT),
        (("x" + "é" * 600).encode()[:SNIFFED_BYTES], TEXT),
        (b"\xef\xbb\xbfcaf\xc3\xa9", TEXT),
        (b"caf\xe9", BINARY),
        (b"a\0b", BINARY),
        (b"\x93NUMPY\x01\0", BINARY),
        (b'{"<script>": 1}', TEXT),
        (b" \n<!DOCTYPE html><script>alert(1)</script>", HTML),
        (b"<b>bold</b>", HTML),
        (b"<xyz>", TEXT),
        (b'<?xml version="1.0"?>\n<!-- c -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', SVG),
        (b'<svg onload="alert(1)">', SVG),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>', TEXT),
        pytest.param(b"<!---->" * 146, HTML, id="many comments"),
        pytest.param(b"<!---->" * 140 + b"<svg>", SVG, id="many comments and a drawing"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"ID3\x03", "audio/mpeg"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_content_is_recognized(beginning: bytes, media_type: str) -> None:
    """Other content has the type of its first bytes; text is UTF-8 without control characters."""
    assert media_type_of(beginning) == media_type
