"""Generated ids and names, and valid names."""

from __future__ import annotations

import re

import pytest

from runstream.exceptions import UsageError
from runstream.run_names import DisplayName, generate_run_id, generated_name, validate_name, validate_tags


def test_generated_ids_and_names_have_their_form() -> None:
    """Ids are 8 letters and digits and do not repeat; names are two words derived from them."""
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
def test_the_displayed_name_is_the_best_one_available(name: DisplayName, shown: str) -> None:
    """A given name takes precedence over the generated one, which has the number once it is known."""
    assert str(name) == shown


def test_tags_are_strings_of_1_to_64_characters() -> None:
    """A string is one tag; duplicates are kept; the error names an invalid tag."""
    assert validate_tags("single") == ("single",)
    assert validate_tags(["x", "y", "x"]) == ("x", "y", "x")
    assert validate_tags(["t" * 64]) == ("t" * 64,)
    for bad in ([""], ["t" * 65], [5], 5):
        with pytest.raises(ValueError, match="Invalid tag"):
            validate_tags(bad)


@pytest.mark.parametrize("name", ["a", "A b_c-d.e", "ünïcode", "x" * 128])
def test_valid_names_are_unchanged(name: str) -> None:
    """Letters of any language, spaces, dots and dashes are allowed."""
    assert name == validate_name("project", name)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "a?b", "a#b", "x" * 129, None, 3])
def test_invalid_names_are_refused(name: str) -> None:
    """Names that a URL or a path would misinterpret are not allowed."""
    with pytest.raises(UsageError, match="Invalid project"):
        validate_name("project", name)


@pytest.mark.parametrize("run_id", [" a", "a ", "a\t"])
def test_an_id_cannot_begin_or_end_with_whitespace(run_id: str) -> None:
    """As in W&B, since the whitespace would not be visible."""
    with pytest.raises(UsageError, match="Invalid run id"):
        validate_name("run id", run_id)
