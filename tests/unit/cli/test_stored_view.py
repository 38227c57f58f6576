"""What `runstream show` prints of media, files and artifacts."""

from __future__ import annotations

from typing import Any

import pytest

from runstream.cli.stored.view import artifact_rows, file_rows, is_media, media_text


def _file(name: str, state: str = "stored", size: int = 1000, reason: str = "") -> dict[str, Any]:
    return {"name": name, "size": size, "state": state, "reason": reason}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"_type": "image-file", "path": "a", "width": 8, "height": 4, "caption": "a cat"}, "image 8 x 4: a cat"),
        ({"_type": "images/separated", "width": 8, "height": 8, "count": 3}, "images/separated 8 x 8 3 items"),
        ({"_type": "table-file", "nrows": 5, "ncols": 2, "path": "t"}, "table 5 rows"),
        ({"_type": "html-file", "caption": None}, "html"),
    ],
)
def test_media_are_a_few_words(value: dict[str, Any], text: str) -> None:
    """The type, the size or number, and the caption."""
    assert is_media(value)
    assert media_text(value) == text


@pytest.mark.parametrize("value", [1, "image-file", {"a": 1}, {"_type": 3}, {"_type": "histogram", "values": [1]}])
def test_other_values_are_not_media(value: object) -> None:
    """Histograms are shown as values."""
    assert not is_media(value)


def test_stored_files_are_counted_and_others_named() -> None:
    """A lost file has its reason; control characters in names are replaced."""
    files = [_file("a"), _file("b", size=2000), _file("c", "uploading"), _file("d\x1b", "dropped", reason="disk full")]
    found = [(name, text.plain) for name, text in file_rows(files)]
    assert found[0] == ("files", "2, 3.0 kB: list them with `runstream files RUN`")
    assert found[1] == ("file", "uploading c")
    assert (found[2][0], found[2][1].startswith("dropped d"), found[2][1].endswith(": disk full")) == (
        "file",
        True,
        True,
    )
    assert "\x1b" not in found[2][1]


def test_many_lost_files_are_a_line() -> None:
    """The first ones are named."""
    found = [text.plain for _, text in file_rows([_file(str(number), "dropped") for number in range(9)])]
    assert found == ["dropped 0", "dropped 1", "dropped 2", "dropped 3", "5 more are not stored"]


def test_artifacts_are_listed_by_direction() -> None:
    """Directions without artifacts have no line."""
    names = [f"model:v{number}" for number in range(6)]
    found = {name: text.plain for name, text in artifact_rows({"logged": names, "used": []})}
    assert found == {"logged": "model:v0, model:v1, model:v2, model:v3 and 2 more"}
