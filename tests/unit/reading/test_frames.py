"""Rows as tables."""

from __future__ import annotations

from runstream.public_api.frames import flat, pick, table


def test_nested_rows_become_flat() -> None:
    """Nested keys are joined with dots; an empty dict stays a value."""
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": {}, "f.g": 3}) == {"a.b": 1, "a.c.d": 2, "e": {}, "f.g": 3}


def test_a_tagged_value_is_not_flattened() -> None:
    """A dict with a ``_type`` describes one value, such as an image."""
    value = {"_type": "image-file", "path": "x.png"}
    assert flat({"a": value}) == {"a": value}


def test_keys_are_selected_by_name_or_dotted_path() -> None:
    """A key with the exact name takes precedence over a path with the same spelling; missing keys are omitted."""
    row = {"a": {"b": 1}, "a.b": 2, "c": {"d": 3}}
    assert pick(row, ["a.b", "c.d", "c", "x"]) == {"a.b": 2, "c.d": 3, "c": {"d": 3}}


def test_the_step_is_the_first_column() -> None:
    """The columns of the server come first; missing values are NaN."""
    frame = table([{"loss": 1.0, "_step": 0}, {"_step": 1, "acc": {"top1": 0.5}}])
    assert list(frame.columns) == ["_step", "loss", "acc.top1"]
    assert frame["loss"].isna().tolist() == [False, True]


def test_an_empty_table_has_the_requested_columns() -> None:
    """Without rows, the result is still a DataFrame."""
    assert list(table([], ["_step", "loss"]).columns) == ["_step", "loss"]
