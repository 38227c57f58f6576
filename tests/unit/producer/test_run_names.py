"""Ids, names, and what they may hold."""

from __future__ import annotations

import re

import pytest

from runstream.exceptions import UsageError
from runstream.run_names import DisplayName, generate_run_id, generated_name, validate_name, validate_tags


def test_ids_and_names_look_as_promised() -> None:
    """Ids are 8 letters and digits and do not repeat; names are two words that follow from them."""
    ids = {generate_run_id() for _ in range(200)}
    names = {one: generated_name(one) for one in ids}

    assert len(ids) == 200
    assert all(re.fullmatch("[a-z0-9]{8}", one) for one in ids)
    assert all(re.fullmatch("[a-z]+-[a-z]+", name) for name in names.values())
    assert len(set(names.values())) > 150
    assert all(name == generated_name(one) for one, name in names.items())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (DisplayName(None, "earnest-sunset"), "earnest-sunset"),
        (DisplayName(None, "earnest-sunset", 1), "earnest-sunset-1"),
        (DisplayName("mine", "earnest-sunset", 1), "mine"),
        (DisplayName("", "earnest-sunset", 1), "earnest-sunset-1"),
    ],
)
def test_a_run_is_shown_by_the_best_name_it_has(name: DisplayName, shown: str) -> None:
    """A name that was given beats the generated one, which carries the number as soon as there is one."""
    assert str(name) == shown


def test_tags_are_strings_of_1_to_64_characters() -> None:
    """A bare string is one tag; repeated ones stay; what is no tag is refused by name."""
    assert validate_tags("single") == ("single",)
    assert validate_tags(["x", "y", "x"]) == ("x", "y", "x")
    assert validate_tags(["t" * 64]) == ("t" * 64,)
    for bad in ([""], ["t" * 65], [5], 5):
        with pytest.raises(ValueError, match="Invalid tag"):
            validate_tags(bad)


@pytest.mark.parametrize("name", ["a", "A b_c-d.e", "ünïcode", "x" * 128])
def test_good_names_stay(name: str) -> None:
    """Letters of any language, spaces, dots and dashes are fine."""
    assert name == validate_name("project", name)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "a?b", "a#b", "x" * 129, None, 3])
def test_bad_names_are_refused(name: str) -> None:
    """What an address or a path would misread is no name."""
    with pytest.raises(UsageError, match="Invalid project"):
        validate_name("project", name)


@pytest.mark.parametrize("run_id", [" a", "a ", "a\t"])
def test_an_id_has_no_blanks_at_its_ends(run_id: str) -> None:
    """They are what is left of a sloppy cut, and nobody would find the run again; as in W&B."""
    with pytest.raises(UsageError, match="Invalid run id"):
        validate_name("run id", run_id)
