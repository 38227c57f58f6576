"""The media type of content, from its first bytes and not from a name, so that a browser cannot be misled by one."""

from __future__ import annotations

import re

#: How many of the first bytes decide.
SNIFFED_BYTES = 1024
HTML, SVG, TEXT, BINARY = (
    "text/html; charset=utf-8",
    "image/svg+xml",
    "text/plain; charset=utf-8",
    "application/octet-stream",
)

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
)
#: The third group of four bytes of a RIFF file, and the brand of a file of the ISO base media format.
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
#: Control characters that no text has (WHATWG MIME Sniffing).
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
#: Possessive, for otherwise the time for a series of comments grows exponentially with their number.
_SVG = re.compile(r"(<\?xml[^>]*\?>|<!--.*?-->|<!doctype svg[^>]*>|\s)*+<svg[\s>/]", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(
    r"\s*(<!--|<(!doctype html|html|head|script|iframe|h[1-6]|div|font|table|a|style|title|b|body|br|p|base|link|meta"
    r"|span|pre|ul|ol|img|button|form|input|i|em|strong|code|section|main|center)[\s>/])",
    re.IGNORECASE,
)


def media_type_of(beginning: bytes) -> str:
    """Return the media type of content that begins with these bytes."""
    for start, signature, media_type in _SIGNATURES:
        if beginning.startswith(signature, start):
            return media_type
    if beginning[:4] == b"RIFF" and beginning[8:12] in _RIFF:
        return _RIFF[beginning[8:12]]
    if beginning[4:8] == b"ftyp":
        return _BRANDS.get(beginning[8:12], "video/mp4")
    return _text_type(beginning)


def _text_type(beginning: bytes) -> str:
    if _BINARY.search(beginning):
        return BINARY
    try:
        # The last character may be cut.
        text = beginning.decode("utf-8-sig", "strict" if len(beginning) < SNIFFED_BYTES else "ignore")
    except UnicodeDecodeError:
        return BINARY
    if _SVG.match(text):
        return SVG
    return HTML if _HTML.match(text) else TEXT
