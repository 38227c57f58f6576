"""Names of artifacts, types, aliases and tags, and references to versions."""

from __future__ import annotations

import pytest

from runstream_schemas.stored.artifact_names import (
    Reference,
    artifact_name,
    is_registry,
    is_reserved_alias,
    parse_reference,
    problem_of_alias,
    problem_of_artifact_name,
    problem_of_tag,
    problem_of_type,
)

VALID_NAMES = ("ok-name_1.2", "a", "x" * 128, "run-abc-model.pt")
INVALID_NAMES = ("a/b", "a b", "a:b", "ü", "", "x" * 129, "a@b", "a\n", ".", "..")


@pytest.mark.parametrize("number", range(len(VALID_NAMES)))
def test_names_of_letters_digits_and_three_marks_are_valid(number: int) -> None:
    """An artifact can be logged under a name of letters, digits, '-', '_' and '.'."""
    assert not problem_of_artifact_name(VALID_NAMES[number])


@pytest.mark.parametrize("number", range(len(INVALID_NAMES)))
def test_other_names_are_invalid(number: int) -> None:
    """Other characters, and more than 128 of them, are refused with what is expected."""
    assert problem_of_artifact_name(INVALID_NAMES[number])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("train.py", "train.py"),
        ("my project/ü:x", "my_project___x"),
        ("p" * 200 + "-train.py", f"{'p' * 63}..{'p' * 54}-train.py"),
    ],
    ids=["valid", "other characters", "long"],
)
def test_a_text_becomes_a_valid_name(text: str, name: str) -> None:
    """Characters that names cannot have are replaced, and a long name is shortened in the middle."""
    assert artifact_name(text) == name
    assert not problem_of_artifact_name(name)


def test_reserved_types_are_refused() -> None:
    """Users cannot choose ``job`` and types that begin with ``wandb-``; any other, even an empty one, is valid."""
    refused = [kind for kind in ("", "code", "model", "job", "run_table", "wandb-x") if problem_of_type(kind)]
    assert refused == ["job", "wandb-x"]


def test_aliases_are_names_without_separators() -> None:
    """An alias has no slash, colon or control character, and is not empty."""
    refused = [alias for alias in ("best", "a b", "ü", "", "a/b", "a:b", "a\0") if problem_of_alias(alias)]
    assert refused == ["", "a/b", "a:b", "a\0"]


def test_some_aliases_follow_from_the_versions() -> None:
    """``latest`` and ``v3`` cannot be given to a version; ``v03`` and ``v`` are ordinary aliases."""
    reserved = [alias for alias in ("latest", "v3", "v0", "v03", "v", "best") if is_reserved_alias(alias)]
    assert reserved == ["latest", "v3", "v0"]


def test_tags_are_words() -> None:
    """A tag consists of words with spaces between them."""
    refused = [tag for tag in ("a", "two words", "ü-1_x", "", " a", "a ", "a,b", "x" * 129) if problem_of_tag(tag)]
    assert refused == ["", " a", "a ", "a,b", "x" * 129]


def test_a_reference_has_up_to_three_names_and_a_version() -> None:
    """Entity, project and version are optional."""
    assert parse_reference("a") == Reference(name="a")
    assert parse_reference("a:latest") == Reference(name="a", version="latest")
    assert parse_reference("p/a:v0") == Reference(project="p", name="a", version="v0")
    assert parse_reference("e/p/a b:best one") == Reference(entity="e", project="p", name="a b", version="best one")


INVALID_REFERENCES = ("", ":v0", "a:", "a:b:c", "e/p/x/a", "/a", "e//a", "p/:v0", "../a", "a:b/c")


@pytest.mark.parametrize("number", range(len(INVALID_REFERENCES)))
def test_an_invalid_reference_is_refused_with_its_text(number: int) -> None:
    """The error names the text and what is expected."""
    with pytest.raises(ValueError, match="Invalid name of an artifact") as raised:
        parse_reference(INVALID_REFERENCES[number])
    assert repr(INVALID_REFERENCES[number]) in str(raised.value)


def test_registries_are_projects_with_a_prefix() -> None:
    """Collections of registries hold links only."""
    found = [name for name in ("model-registry", "wandb-registry-model", "registry", "p") if is_registry(name)]
    assert found == ["model-registry", "wandb-registry-model"]
