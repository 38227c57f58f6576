"""The control page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import CONTROL_SIZE, ControlPage, Word

if TYPE_CHECKING:
    from pathlib import Path


def test_words_are_shared_between_processes(tmp_path: Path) -> None:
    """A word stored through one mapping is read through another; creating the page again keeps its words."""
    with ControlPage(tmp_path / "control") as one, ControlPage(tmp_path / "control") as other:
        for number, word in enumerate(Word):
            if word is not Word.MAGIC:
                one[word] = 2**63 + number
        assert [2**63 + number for number in range(1, len(Word))] == [other[word] for word in Word][1:]
        with ControlPage(tmp_path / "control") as again:
            assert one[Word.ACKED] == again[Word.ACKED]
    assert (
        (tmp_path / "control").stat().st_size,
        (tmp_path / "control").stat().st_mode & 0o777,
    ) == (CONTROL_SIZE, 0o600)


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(CONTROL_SIZE)])
def test_a_damaged_page_is_rebuilt(tmp_path: Path, content: bytes) -> None:
    """A file that is short or begins with other bytes becomes an empty page."""
    (tmp_path / "control").write_bytes(content)

    with ControlPage(tmp_path / "control") as page:
        assert {page[word] for word in Word if word is not Word.MAGIC} == {0}
        assert not page.check()


@pytest.mark.parametrize("size", [0, 100, CONTROL_SIZE])
def test_a_page_that_is_damaged_while_it_is_used_stays_shared(tmp_path: Path, size: int) -> None:
    """After a truncation, or other bytes at the beginning, its users have the same empty page again."""
    path = tmp_path / "control"
    with ControlPage(path) as one, ControlPage(path) as other:
        one[Word.ACKED] = 1
        os.truncate(path, size)
        with path.open("r+b") as file:
            file.write(b"printed"[:size])

        assert one.check()
        assert other[Word.ACKED] == 0
        other[Word.ACKED] = 2
        assert (one[Word.ACKED], other.check()) == (2, False)


def test_a_page_that_is_deleted_is_created_again(tmp_path: Path) -> None:
    """Its users keep the words, and share them again after their next check."""
    path = tmp_path / "control"
    with ControlPage(path) as one, ControlPage(path) as other:
        one[Word.ACKED] = 1
        path.unlink()
        assert not one.check()
        one[Word.ACKED] = 2
        assert not other.check()

        assert (other[Word.ACKED], path.stat().st_mode & 0o777) == (2, 0o600)


def test_a_page_whose_folder_is_gone_belongs_to_the_process(tmp_path: Path) -> None:
    """Its words can be read and stored even if they were lost."""
    path = tmp_path / "run" / "control"
    path.parent.mkdir()
    with ControlPage(path) as page:
        page[Word.ACKED] = 1
        path.rename(tmp_path / "elsewhere")
        path.parent.rmdir()
        assert not page.check()
        assert page[Word.ACKED] == 1

        os.truncate(tmp_path / "elsewhere", 0)
        assert page[Word.ACKED] == 0
        page[Word.ACKED] = 3
        assert page[Word.ACKED] == 3
