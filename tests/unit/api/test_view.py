"""What the pages show, and how they format values."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from runstream_consumers.api.documents.run_documents import FoundRun, iso, project_path
from runstream_consumers.history.postgres_blocks import BranchPoint
from runstream_consumers.summary.reader import RunDocument
from runstream_consumers.web import filters, view
from runstream_consumers.web.filters import markdown
from runstream_schemas.topics import RunPath


def _defined(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "glob": "*" in name, "hidden": False, "step_metric": None, **options}


def test_keys_are_grouped_by_their_prefix() -> None:
    """The part before the first slash is the group; keys without one come last."""
    keys = ["loss", "val/loss", "train/a/loss", "train/loss", "epoch"]
    expected = [("train", ["train/a/loss", "train/loss"]), ("val", ["val/loss"]), ("metrics", ["epoch", "loss"])]
    assert expected == view.groups(keys, "metrics")


def test_hidden_metrics_have_no_chart() -> None:
    """An exact definition takes precedence over a pattern, and a longer pattern over a shorter one."""
    metrics = [
        _defined("debug/*", hidden=True),
        _defined("debug/kept"),
        _defined("debug/some/*"),
        _defined("epoch", hidden=True),
        _defined("a[1]*", hidden=True),
    ]
    keys = ["debug/hidden", "debug/kept", "debug/some/x", "epoch", "other", "a[1]b", "a1"]
    found = [key for _, charts in view.chart_groups(keys, metrics, "metrics") for key, _ in charts]
    assert found == ["debug/kept", "debug/some/x", "a1", "other"]


def test_chart_has_its_step_metric_as_x_axis() -> None:
    """The step metric is that of the key's definition; without one the x axis is the step."""
    metrics = [_defined("train/*", step_metric="epoch"), _defined("train/plain")]
    keys = ["train/loss", "train/plain", "epoch"]
    assert view.chart_groups(keys, metrics, "metrics") == [
        ("train", [("train/loss", "epoch"), ("train/plain", "")]),
        ("metrics", [("epoch", "")]),
    ]


def test_summary_omits_the_position_of_its_last_row() -> None:
    """Step and time of the last row are not listed as summary values."""
    assert view.summary_pairs({"_step": 3, "a": {"b": 1, "_c": 2}}) == [("a.b", 1), ("a._c", 2)]


def test_pinned_keys_keep_their_order() -> None:
    """Dots address nested dicts, a whole dict may be pinned, and missing keys are omitted."""
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
def test_markdown_is_rendered(text: str, expected: str) -> None:
    """Markdown is rendered, and HTML in it is shown as source."""
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
def test_markdown_contains_no_scripts_or_images(text: str) -> None:
    """Rendered Markdown contains only paragraphs and links to http(s) URLs."""
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
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (3, "3"),
        (True, "true"),
        (None, "null"),
        ("text", "text"),
        ([1, "a"], '[1, "a"]'),
        ([1.0, math.nan, None], "[1.0, NaN, null]"),
    ],
)
def test_values_are_short(value: Any, expected: str) -> None:
    """Numbers have few digits; other values are JSON, or text without quotes."""
    assert expected == filters.short(value)


def test_long_values_are_truncated() -> None:
    """Values are truncated to a maximum length."""
    assert filters.short("x" * 1000) == "x" * 119 + "…"
    assert len(filters.exact("x" * 10_000)) == 2000


def test_nested_values_have_dotted_paths() -> None:
    """Nested dicts become one flat list; an empty dict is a value."""
    assert list(filters.pairs({"a": {"b": 1, "c": {"d": 2}}, "e": {}})) == [("a.b", 1), ("a.c.d", 2), ("e", {})]


def test_times_and_durations_are_formatted() -> None:
    """A time is shown as time of day (and date, on another day) or ISO 8601, a duration in its two largest units."""
    assert filters.clock(1_767_323_045.5) == filters.clock(1_767_323_045.5, 1_767_322_000) == "03:04:05"
    assert filters.clock(1_767_323_045.5, 1_767_200_000) == "2026-01-02 03:04:05"
    assert filters.iso(1_767_323_045.5) == "2026-01-02T03:04:05.500Z"
    durations = ["5 seconds", "1 minute, 5 seconds", "1 hour, 1 minute", "1 day, 1 hour"]
    assert [filters.duration(seconds) for seconds in (5, 65, 3_700, 90_000)] == durations
    assert filters.duration(253_402_300_799) == "1,000 years"
    assert iso(253_402_300_799_999_999) == "9999-12-31T23:59:59.999999Z"


def test_names_are_quoted_in_paths() -> None:
    """A slash or a space in a name does not change the path."""
    assert project_path("a b", "c/d") == "/a%20b/c%2Fd"


def test_long_metadata_is_shown_apart() -> None:
    """Packages and uncommitted changes are texts; values of other types stay where they are."""
    metadata = {"host": "a", "packages": ["x==1", "y==2"], "git": {"commit": "c", "diff": "+1"}}
    rest, texts = view.without_long(metadata)
    assert rest == {"host": "a", "git": {"commit": "c"}}
    assert texts == [("2 packages", "x==1\ny==2"), ("Uncommitted changes", "+1")]
    odd = {"packages": "x", "git": ["diff"]}
    assert view.without_long(odd) == (odd, [])


def test_origins_link_to_the_run_that_is_continued() -> None:
    """A rewind has no link, nor has a fork of a run of which nothing has arrived."""
    run, parent = (RunPath(entity="ada", project="a b", run_id=name) for name in ("x", "y"))
    branches = [BranchPoint(run=origin, step=3, time=0) for origin in (parent, run, None)]
    found = FoundRun(run=run, document=RunDocument(run=run), state=None, branches=branches)
    assert view.origins(found) == [
        ("forked from", "/ada/a%20b/runs/y", "ada/a b/y at step 3"),
        ("rewound to", None, "step 3"),
        ("forked from", None, "an unknown run at step 3"),
    ]
