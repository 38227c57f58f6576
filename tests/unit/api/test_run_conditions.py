"""Filters and orders of lists of runs: what is accepted, and the errors of the rest."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.api.run_lists import mongo
from runstream_consumers.api.run_lists.conditions import All, Comparison, Some, comparisons_of, jsonpath_of
from runstream_consumers.api.run_lists.fields import TAGS, config_field
from runstream_consumers.api.run_lists.order import RunOrder
from runstream_consumers.api.run_lists.simple import RunFilter, config_condition, glob_regex

_DEEP: dict[str, Any] = {"state": "failed"}
for _ in range(30):
    _DEEP = {"$not": _DEEP}


@pytest.mark.parametrize(
    ("given_filter", "reason"),
    [
        ([], "expected a dict"),
        ("lr", "expected a dict"),
        ({"loss": 1}, "Unknown field 'loss': expected one of id, name, state"),
        ({"config": 1}, "Unknown field 'config'"),
        ({"config.": 1}, "Unknown field"),
        ({"config.lr": {"$about": 1}}, "Unknown operator '$about' of 'config.lr': expected one of $gt"),
        ({"$where": "x"}, "Unknown operator '$where': expected one of $and, $or, $nor, $not"),
        ({"$or": {}}, r"Invalid $or {}: expected a list of filters"),
        ({"$and": []}, "expected a list of filters"),
        ({"$or": [1]}, "expected a dict"),
        ({"config.lr": {"$gt": True}}, "expected a number or a text"),
        ({"config.lr": {"$gt": None}}, "expected a number or a text"),
        ({"config.lr": {"$in": 3}}, "expected a list of up to 1000 values"),
        ({"config.lr": {"$in": [{}]}}, "expected a number, a text"),
        ({"config.lr": {"a": 1}}, "expected a number, a text"),
        ({"config.lr": [[1]]}, "expected a number, a text"),
        ({"config.lr": "x" * 501}, "texts of up to 500 characters"),
        ({"config.lr": {"$exists": 1}}, "expected true or false"),
        ({"config.lr": {"$not": 1}}, "expected operators"),
        ({"config.lr": {"$regex": 1}}, "expected a text"),
        ({"config.lr": {"$regex": "x" * 501}}, "expected up to 500"),
        ({"config.lr": {"$regex": "(a)\\1"}}, "references to groups"),
        ({"config.lr": {"$regex": "a", "$options": "q"}}, "some of the letters i, m and s"),
        ({"config.lr": {"$options": "i"}}, "$options belongs to $regex"),
        ({"created_at": "yesterday"}, "expected a time in ISO 8601"),
        ({"created_at": {"$regex": "2026"}}, "no time"),
        ({"created_at": None}, "expected a time"),
        ({"created_at": {"$gt": 1e300}}, "expected a time"),
        ({"state": "stuck"}, "expected one of crashed, failed"),
        ({"state": 1}, "expected one of crashed, failed"),
        ({"config.lr": {"$in": [1] * 900}, "$or": [{"config.lr": {"$in": [1] * 900}}] * 2}, "more than 2000"),
        (_DEEP, "nested deeper than 20 levels"),
    ],
)
def test_an_invalid_filter_is_refused(given_filter: Any, reason: str) -> None:
    """The message names the part, and what is expected."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        mongo.parse(json.dumps(given_filter))


@pytest.mark.parametrize("text", ["{", "{'a': 1}", '{"state": NaN}', "x" * 20_001])
def test_a_filter_that_is_not_json_is_refused(text: str) -> None:
    """The message has its begin."""
    with pytest.raises(ValueError, match="Invalid filter"):
        mongo.parse(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$or", "$and", "$not", "$gt", "$in", "$regex", "state", "config.x", "tags", "created_at"]), inner, max_size=3)))  # fmt: skip  # noqa: E501
def test_any_json_is_a_condition_or_a_value_error(given_filter: Any) -> None:
    """No filter leads to another error, and what is accepted has a jsonpath for its tests of JSON."""
    try:
        condition = mongo.parse(json.dumps(given_filter))
    except ValueError:
        return
    for test in comparisons_of(condition):
        if test.field.is_json:
            assert jsonpath_of(test)


@pytest.mark.parametrize("order", ["", "-", "loss", "--name", "summary", "summary.", "name.x", "+-created"])
def test_an_invalid_order_is_refused(order: str) -> None:
    """The message names what is expected."""
    with pytest.raises(ValueError, match=r"expected created, name, state"):
        RunOrder.parse(order)


@pytest.mark.parametrize("text", ["lr", "=1", ""])
def test_an_invalid_condition_is_refused(text: str) -> None:
    """A condition has a key and a value."""
    with pytest.raises(ValueError, match="expected KEY=VALUE"):
        config_condition(text)


def test_conditions_of_parameters_are_tests() -> None:
    """Each parameter is a test; a value of the config is compared as a text and as what it spells."""
    assert RunFilter().condition == All()
    assert RunFilter(tags=frozenset({"a"})).condition == All((Comparison(TAGS, "==", "a"),))
    lr = config_field("lr")
    assert config_condition("lr=0.10") == Some((Comparison(lr, "==", "0.10"), Comparison(lr, "==", 0.1)))
    assert config_condition("lr={}") == Some((Comparison(lr, "==", "{}"),))
    assert config_condition("lr=null") == Some(
        (Comparison(lr, "==", "null"), All((Comparison(lr, "exists"), Comparison(lr, "==", None))))
    )


@given(st.text("ab*?[]!^.\\", max_size=7), st.text("ab*?[]!^.\\", max_size=7))
def test_a_pattern_is_that_of_the_shell(pattern: str, text: str) -> None:
    """The regular expression matches what Python's fnmatch does, for patterns without empty or odd brackets."""
    if re.search(r"\[!?\]|\[!?\^|\[!?\[|\[!?!|\\", pattern):
        return
    assert bool(re.search(glob_regex(pattern), text, re.DOTALL)) is bool(fnmatch.fnmatchcase(text, pattern))
