"""The methods and properties of `Run` are those of the reference documents."""

from __future__ import annotations

import inspect

import pytest

from runstream import Run
from tests.contract.surface import PAGE, Method, Property, has_test, page, surface

METHODS = [surface().constructor, *surface().methods]
PROPERTIES = surface().properties


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
def test_a_method_has_the_documented_parameters(row: Method) -> None:
    """Names, order and defaults of the parameters are those in the documents."""
    signature = inspect.signature(getattr(Run, row.name))
    found = [(one.name, one.default) for one in signature.parameters.values() if one.name != "self"]
    empty = inspect.Parameter.empty
    assert found == [(one.name, empty if one.required else one.default) for one in row.parameters]


@pytest.mark.parametrize("row", PROPERTIES, ids=lambda row: row.name)
def test_a_property_can_be_set_if_documented_as_settable(row: Property) -> None:
    """Name, notes and tags can be set while the run is running; the other properties cannot."""
    found = inspect.getattr_static(Run, row.name)
    assert isinstance(found, property)
    assert (found.fset is not None) == row.settable


@pytest.mark.parametrize("row", [*METHODS, *PROPERTIES], ids=lambda row: row.name)
def test_every_name_has_a_docstring_and_a_test(row: Method | Property) -> None:
    """Each name has a docstring, and the test of its behavior exists."""
    assert row.name.startswith("__") or inspect.getdoc(getattr(Run, row.name))
    assert has_test(row.test), f"{row.test} does not exist"


def test_the_coverage_page_is_up_to_date() -> None:
    """docs/api-coverage.md is the output of ``python -m tests.contract.surface``."""
    assert PAGE.read_text(encoding="utf-8") == page()
