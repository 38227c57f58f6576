"""The surface of `Run` is that of the reference documents."""

from __future__ import annotations

import inspect

import pytest

from runstream import Run, Settings, UnsupportedError
from tests.contract.surface import PAGE, Method, Property, has_test, page, surface

METHODS = [surface().constructor, *surface().methods]
PROPERTIES = surface().properties


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
def test_a_method_has_the_parameters_of_the_documents(row: Method) -> None:
    """Names, order and defaults are those of the documents."""
    signature = inspect.signature(getattr(Run, row.name))
    found = [(one.name, one.default) for one in signature.parameters.values() if one.name != "self"]
    empty = inspect.Parameter.empty
    assert found == [(one.name, empty if one.required else one.default) for one in row.parameters]


@pytest.mark.parametrize("row", PROPERTIES, ids=lambda row: row.name)
def test_a_property_can_be_set_if_the_documents_say_so(row: Property) -> None:
    """Name, notes and tags can be set while the run is running, the others not."""
    found = inspect.getattr_static(Run, row.name)
    assert isinstance(found, property)
    assert (found.fset is not None) == row.settable


@pytest.mark.parametrize("row", [*METHODS, *PROPERTIES], ids=lambda row: row.name)
def test_every_name_says_what_it_does_and_has_a_test(row: Method | Property) -> None:
    """A name has a docstring, and the test that shows its behaviour exists."""
    assert row.name.startswith("__") or inspect.getdoc(getattr(Run, row.name))
    assert has_test(row.test), f"there is no {row.test}"


@pytest.mark.parametrize("row", [row for row in METHODS if row.later], ids=lambda row: row.name)
def test_what_comes_with_files_raises_until_then(row: Method) -> None:
    """A method for files and artifacts says that it is not supported, and never succeeds silently."""
    run = Run(Settings(project="p"))
    required = [one.name for one in row.parameters if one.required]
    with pytest.raises(UnsupportedError, match="not supported yet"):
        getattr(run, row.name)(*required)


def test_the_page_is_what_the_surface_says() -> None:
    """docs/api-coverage.md is generated, and up to date: ``python -m tests.contract.surface`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()
