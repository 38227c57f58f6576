"""Ids, names, and what they may hold."""

from __future__ import annotations

import re

import pytest

from runstream.exceptions import UsageError
from runstream.tracking.naming import checked_name, random_id, random_name


def test_ids_and_names_look_as_promised() -> None:
    """Ids are 8 letters and digits, names two words and a number; neither repeats."""
    ids, names = {random_id() for _ in range(200)}, [random_name() for _ in range(200)]

    assert len(ids) == 200
    assert all(re.fullmatch("[a-z0-9]{8}", one) for one in ids)
    assert all(re.fullmatch("[a-z]+-[a-z]+-[0-9]+", one) for one in names)


@pytest.mark.parametrize("name", ["a", "A b_c-d.e", "ünïcode", "x" * 128])
def test_good_names_stay(name: str) -> None:
    """Letters of any language, spaces, dots and dashes are fine."""
    assert name == checked_name("project", name)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "a?b", "a#b", "x" * 129, None, 3])
def test_bad_names_are_refused(name: str) -> None:
    """What an address or a path would misread is no name."""
    with pytest.raises(UsageError, match="the project"):
        checked_name("project", name)
