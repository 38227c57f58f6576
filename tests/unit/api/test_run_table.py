"""The table of a project's runs."""

from __future__ import annotations

from typing import Any

from runstream_consumers.web.run_table import Column, RunLine, columns_of, parameters


def _line(summary: dict[str, Any], config: dict[str, Any], *pinned: str) -> RunLine:
    return RunLine(
        id="r",
        name="r",
        path="/",
        state="finished",
        qualifiers=[],
        created=None,
        seconds=None,
        steps=0,
        lost=0,
        group="",
        tags=[],
        pinned=pinned,
        values={"summary": summary, "config": config},
    )


def test_default_columns_are_common_metrics_and_config_that_differs() -> None:
    """Texts, constants and values of a single run have no column; telling names come before others."""
    several = {f"layer/{number}": 1.0 for number in range(9)}
    lines = [
        _line(
            {**several, "loss": number, "note": "x", f"only-{number}": 1}, {"lr": number, "seed": 1, "many": [number]}
        )
        for number in range(5)
    ]
    found = columns_of(lines)
    assert Column("summary", "loss") in found
    assert len([one for one in found if one.kind == "summary"]) == 5
    assert [one.key for one in found if one.kind == "config"] == ["lr"]
    assert not {"note", "only-1"} & {one.key for one in found}


def test_pinned_config_comes_first() -> None:
    """Pinned keys have columns even if all runs have the same value."""
    lines = [_line({}, {"lr": number, "seed": 1}, "seed", "missing") for number in range(2)]
    assert columns_of(lines) == [Column("config", "seed"), Column("config", "lr")]


def test_columns_are_named_as_in_orders() -> None:
    """A key with a dot is of the summary unless it begins with the name of a kind."""
    assert Column.parse("config.a.b") == Column("config", "a.b")
    assert Column.parse("summary.loss") == Column.parse("loss") == Column("summary", "loss")
    assert Column.parse("a.b") == Column("summary", "a.b")
    assert str(Column.parse("loss")) == "summary.loss"


def test_links_keep_other_parameters() -> None:
    """A link replaces a parameter or removes it, begins at the first page, and quotes values."""
    known = [("state", "failed"), ("config", "a=1"), ("config", "b=2"), ("after", "x"), ("name", "")]
    assert parameters(known, state=None, tag="a&b") == "?config=a%3D1&config=b%3D2&tag=a%26b"
    assert parameters(known, state="\ud800") == "?config=a%3D1&config=b%3D2&state=%3F"
