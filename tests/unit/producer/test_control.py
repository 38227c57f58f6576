"""The control page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import CONTROL_SIZE, ControlPage, Word

if TYPE_CHECKING:
    from pathlib import Path


def test_words_are_shared_between_processes(tmp_path: Path) -> None:
    """A word stored through one mapping is read through another; creating the page again keeps its words."""
    with ControlPage.create(tmp_path / "control") as one, ControlPage(tmp_path / "control") as other:
        for number, word in enumerate(Word):
            if word is not Word.MAGIC:
                one[word] = 2**63 + number
        assert [2**63 + number for number in range(1, len(Word))] == [other[word] for word in Word][1:]
        with ControlPage.create(tmp_path / "control") as again:
            assert one[Word.ACKED] == again[Word.ACKED]
    assert (
        (tmp_path / "control").stat().st_size,
        (tmp_path / "control").stat().st_mode & 0o777,
    ) == (CONTROL_SIZE, 0o600)


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(CONTROL_SIZE)])
def test_a_file_that_is_not_a_control_page_is_refused(tmp_path: Path, content: bytes) -> None:
    """A short file, or one with other bytes at the beginning, is not mapped."""
    (tmp_path / "control").write_bytes(content)

    with pytest.raises(ValueError, match="is not a control page"):
        ControlPage(tmp_path / "control")
