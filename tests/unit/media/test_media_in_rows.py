"""Media as values of rows, summary and config: what is recorded of them, and where their files are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import runstream
from runstream.exceptions import DataError
from runstream.files.media_names import media_path
from runstream_schemas.stored.names import problem_of_name
from tests.unit.media.recorded import recorded_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_names_the_file_of_its_media(tmp_path: Path) -> None:
    """The row holds the path under which the file is recorded, made of the key and the step."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"a/page": runstream.Html("<p>x", inject=False), "loss": 1.5}, step=7)

    (row,), (file,) = recorded.rows, recorded.files
    assert row["loss"] == 1.5
    assert row["a/page"] == {"_type": "html-file", "path": file["path"]}
    assert file["path"].startswith("media/html/a/page_7_")
    assert file["path"].endswith(".html")
    assert recorded.content() == b"<p>x"


def test_implicit_steps_and_nested_dicts_are_in_the_names_of_files(tmp_path: Path) -> None:
    """Without a step, that of the next row is part of the name; keys of nested dicts are folders."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"loss": 1})
        recorded.run.log({"val": {"page": runstream.Html("x")}})

    assert recorded.rows[1]["val"]["page"]["path"].startswith("media/html/val/page_1_")


def test_media_can_be_set_in_the_summary(tmp_path: Path) -> None:
    """The file of a value of the summary has the word in its name, and the summary holds its path."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.summary["page"] = runstream.Html("x")
        found = recorded.run.summary.as_dict()

    assert found["page"]["path"] == recorded.files[0]["path"]
    assert recorded.files[0]["path"].startswith("media/html/page_summary_")


def test_a_list_of_media_of_one_kind_is_one_value(tmp_path: Path) -> None:
    """A list of pages is recorded as one dict with its length, an empty list as a list."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"pages": [runstream.Html("x"), runstream.Html("y")], "none": []})

    assert recorded.rows[0]["pages"]["_type"] == "html"
    assert recorded.rows[0]["pages"]["count"] == 2
    assert [page["path"] for page in recorded.rows[0]["pages"]["html"]] == [file["path"] for file in recorded.files]


def test_media_of_several_kinds_are_a_list_of_values(tmp_path: Path) -> None:
    """Each item of a list of media of different classes is recorded for itself."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"mixed": [runstream.Html("x"), runstream.Histogram([1, 2], num_bins=2)]})

    assert [item["_type"] for item in recorded.rows[0]["mixed"]] == ["html-file", "histogram"]


def test_a_refused_row_leaves_no_files(tmp_path: Path) -> None:
    """Media next to a value that cannot be recorded are neither recorded nor kept in the run folder."""
    with recorded_run(tmp_path) as recorded:
        with pytest.raises(DataError, match="expected only media"):
            recorded.run.log({"page": runstream.Html("x"), "bad": [runstream.Html("y"), 3]})
        with pytest.raises(DataError, match="step is an integer"):
            recorded.run.log({"page": runstream.Html("x")}, step="one")
        staged = os.listdir(os.path.join(recorded.run.sync_dir, "staged"))  # noqa: PTH118, PTH208

    assert staged == []
    assert recorded.files == []


@pytest.mark.parametrize("value", [runstream.Html("x"), runstream.Histogram([1])], ids=["html", "histogram"])
def test_a_config_holds_no_media(tmp_path: Path, value: object) -> None:
    """Media in config are refused with a TypeError that names the key, nested or not."""
    with recorded_run(tmp_path) as recorded:
        for data in ({"page": value}, {"deep": {"page": [value]}}):
            with pytest.raises(TypeError, match=r"page.*Invalid config value"):
                recorded.run.config.update(data)


def test_a_disabled_run_writes_no_files(tmp_path: Path) -> None:
    """Logging media to a disabled run changes nothing on disk."""
    run = runstream.init(mode="disabled", dir=tmp_path)
    run.log({"page": runstream.Html("x")})
    run.summary["page"] = runstream.Html("x")
    run.finish()

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_the_media_and_not_the_row(tmp_path: Path) -> None:
    """If the file cannot be staged, the row has a note for its value, and a record of a lost file names the reason."""
    with recorded_run(tmp_path) as recorded:
        staged = os.path.join(recorded.run.sync_dir, "staged")  # noqa: PTH118
        with open(staged, "x", encoding="utf-8"):  # noqa: PTH123 - a file where the folder would be
            pass
        recorded.run.log({"page": runstream.Html("x"), "loss": 1})
        os.unlink(staged)  # noqa: PTH108

    (row,), (file,) = recorded.rows, recorded.files
    assert row["loss"] == 1
    assert "FileExistsError" in str(row["page"]) or "NotADirectoryError" in str(row["page"])
    assert file["path"].startswith("media/html/page_0_")
    assert "could not be kept" in file["lost"]


@pytest.mark.parametrize(
    "key",
    ["a", "a/b", "/etc/x", "../../x", "a//b", "x\0y", 'q"?*', "ö" * 500, "a/" * 900, ".", "back\\slash", "\ud800"],
)
def test_every_key_gives_a_valid_name_of_a_file(key: str) -> None:
    """Whatever the key, the path stays within its folder and is a name that the server accepts."""
    path = media_path("images/mask", key, 2**62, "mask.png")

    assert problem_of_name(path) == ""
    assert path.startswith("media/images/mask/")
