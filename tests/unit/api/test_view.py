"""What the pages show, and how values are written on them."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from runstream_consumers.web import filters, view
from runstream_consumers.web.markdown import markdown


def _defined(name: str, **said: Any) -> dict[str, Any]:
    return {"name": name, "glob": "*" in name, "hidden": False, "step_metric": None, **said}


def test_keys_are_grouped_by_their_prefix() -> None:
    """What stands before the first slash is the group; keys without one come last."""
    keys = ["loss", "val/loss", "train/a/loss", "train/loss", "epoch"]
    expected = [("train", ["train/a/loss", "train/loss"]), ("val", ["val/loss"]), ("metrics", ["epoch", "loss"])]
    assert expected == view.groups(keys, "metrics")


def test_hidden_metrics_have_no_chart() -> None:
    """An exact definition goes before a pattern, whichever hides, and a longer pattern before a shorter one."""
    metrics = [
        _defined("debug/*", hidden=True),
        _defined("debug/kept"),
        _defined("debug/some/*"),
        _defined("epoch", hidden=True),
        _defined("a[1]*", hidden=True),
    ]
    keys = ["debug/gone", "debug/kept", "debug/some/x", "epoch", "other", "a[1]b", "a1"]
    found = [key for _, charts in view.chart_groups(keys, metrics, "metrics") for key, _ in charts]
    assert found == ["debug/kept", "debug/some/x", "a1", "other"]


def test_a_chart_has_its_step_metric_as_its_x_axis() -> None:
    """Of the definition that speaks for the key; else there is none, and it is drawn over steps."""
    metrics = [_defined("train/*", step_metric="epoch"), _defined("train/plain")]
    keys = ["train/loss", "train/plain", "epoch"]
    assert view.chart_groups(keys, metrics, "metrics") == [
        ("train", [("train/loss", "epoch"), ("train/plain", "")]),
        ("metrics", [("epoch", "")]),
    ]


def test_the_summary_leaves_out_where_its_last_row_stands() -> None:
    """Step and time of the last row stand among the facts of the page."""
    assert view.summary_pairs({"_step": 3, "a": {"b": 1, "_c": 2}}) == [("a.b", 1), ("a._c", 2)]


def test_pinned_keys_are_those_of_the_config_in_their_order() -> None:
    """Dots reach into dicts, a whole dict may be pinned, and what the config lacks is left out."""
    config = {"a": 1, "model": {"name": "x", "size": 2}, "b.c": 3}
    keys = ["model.name", "b.c", "nothing", "a", "model", "a"]
    assert view.pinned(keys, config) == [("model.name", "x"), ("b.c", 3), ("a", 1), ("model", config["model"])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**x** and [y](https://z.example)", "<strong>x</strong>"),
        ("[y](https://z.example)", 'rel="noopener noreferrer nofollow"'),
        ("a\nb", "a<br />"),
        ("|a|\n|-|\n|b|", "<td>b</td>"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
    ],
)
def test_markdown_is_shown_as_it_is_meant(text: str, expected: str) -> None:
    """With HTML in it as it is written."""
    assert expected in markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,AAAA)",
        "<javascript:alert(1)>",
        "![x](https://z.example/pixel.png)",
        '[x](https://z.example/"onmouseover="alert(1))',
        "[x][1]\n\n[1]: vbscript:x",
    ],
)
def test_markdown_runs_and_fetches_nothing(text: str) -> None:
    """Neither scripts nor pictures come of it."""
    html = markdown(text)
    tags = re.findall(r"<[a-z][^>]*>", html)
    assert all(re.fullmatch(r'<(p|a href="https?://[^"]*"( (target|rel)="[^"]*")*)>', tag) for tag in tags), html


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456789, "0.12346"),
        (1234567.0, "1.235e+06"),
        (1e-7, "1e-07"),
        (0.0, "0"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (3, "3"),
        (True, "true"),
        (None, "null"),
        ("text", "text"),
        ([1, "a"], '[1,"a"]'),
    ],
)
def test_values_are_short(value: Any, expected: str) -> None:
    """Numbers have few digits, anything else stands as JSON or as it is."""
    assert expected == filters.short(value)


def test_long_values_are_cut() -> None:
    """However long a value is, the page stays small."""
    assert filters.short("x" * 1000) == "x" * 119 + "…"
    assert len(filters.exact("x" * 10_000)) == 2000


def test_nested_values_have_dotted_paths() -> None:
    """Nested dicts become one list; an empty dict is a value."""
    assert list(filters.pairs({"a": {"b": 1, "c": {"d": 2}}, "e": {}})) == [("a.b", 1), ("a.c.d", 2), ("e", {})]


def test_times_are_told_in_words_and_in_full() -> None:
    """The same moment as time of day, as ISO text, and durations in two units."""
    assert filters.clock(1_767_323_045.5) == "03:04:05"
    assert filters.iso(1_767_323_045.5) == "2026-01-02T03:04:05.500Z"
    assert [filters.duration(seconds) for seconds in (5, 65, 3_700, 90_000)] == ["5s", "1m 05s", "1h 01m", "1d 01h"]


def test_names_are_quoted_in_paths() -> None:
    """A slash or a space in a name does not change the path."""
    assert view.project_path("a b", "c/d") == "/a%20b/c%2Fd"
