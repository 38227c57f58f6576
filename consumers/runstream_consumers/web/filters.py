"""Formatting of values for the templates."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import humanize
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markupsafe import Markup

from runstream_consumers.web.histograms import Histogram, histogram_of
from runstream_consumers.web.media.values import Media, media_of

_LONGEST = 120
_LONGEST_EXACT = 2000
_LARGE, _SMALL = 1e6, 1e-3
#: End of the year 9999, seconds since 1970, and a thousand years: humanize subtracts durations from the current date.
_LAST_SECOND = 253_402_300_799
_LONGEST_DURATION = 365 * 86_400 * 1000


def short(value: Any) -> str:
    """Return a value in short form: numbers with five significant digits, long texts truncated."""
    if isinstance(value, float) and math.isfinite(value):
        size = abs(value)
        return f"{value:.4g}" if size and (size >= _LARGE or size < _SMALL) else f"{value:.5g}"
    return _shortened(exact(value), _LONGEST)


def exact(value: Any) -> str:
    """Return a value in full: a text without quotes, a non-finite number by its name, anything else as JSON."""
    if isinstance(value, Histogram | Media):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _shortened(text, _LONGEST_EXACT)


def bars(histogram: Histogram, width: float = 120, height: float = 26) -> list[tuple[float, float, float, float]]:
    """Return the bars of a histogram: left edge, top, width and height, within a size."""
    first, last, most = histogram.edges[0], histogram.edges[-1], max(histogram.counts) or 1.0
    scale = width / ((last - first) or 1.0)
    return [
        (
            round((left - first) * scale, 2),
            round(height - height * count / most, 2),
            round(max((right - left) * scale - 0.5, 0.5), 2),
            round(height * count / most, 2),
        )
        for left, right, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False)
    ]


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return "–"  # noqa: RUF001  # a dash for people
    passed = timedelta(seconds=max(0, int(min(seconds, _LONGEST_DURATION))))
    unit = "seconds" if passed < timedelta(hours=1) else "minutes" if passed < timedelta(days=1) else "hours"
    return humanize.precisedelta(passed, minimum_unit=unit, format="%d").replace(" and ", ", ")


def ago(seconds: float) -> str:
    """Return the age of a time, given in seconds since 1970."""
    return humanize.naturaltime(datetime.now(tz=UTC).timestamp() - _moment(seconds).timestamp())


def iso(seconds: float) -> str:
    """Return a time as ISO 8601 in UTC."""
    return _moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(seconds: float, first: float | None = None) -> str:
    """Return a time of day in UTC, with the date if it is another one than that of the first time."""
    is_same_day = first is None or _moment(seconds).date() == _moment(first).date()
    return _moment(seconds).strftime("%H:%M:%S" if is_same_day else "%Y-%m-%d %H:%M:%S")


def _moment(seconds: float) -> datetime:
    """Return a time; one that calendars do not have becomes the first or the last that they have."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), tz=UTC)


def count(number: int) -> str:
    """Return a number with separated thousands."""
    return humanize.intcomma(number)


def pairs(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted paths and values of nested dicts; a histogram is one value, and so are media."""
    for key, value in nested.items():
        if (known := histogram_of(value) or media_of(value)) is not None:
            yield f"{prefix}{key}", known
        elif isinstance(value, dict) and value:
            yield from pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


#: Longer texts are truncated.
_LONGEST_MARKDOWN = 20_000


def markdown(text: str) -> Markup:
    """Return the HTML of a text; HTML in the text is shown as source, and images as their alternative text."""
    return Markup(_parser().render(_shortened(text, _LONGEST_MARKDOWN)))  # noqa: S704 - the parser escapes all HTML


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    # An external image would reveal readers of the page to its server; the content security policy forbids it as well.
    parser.disable("image")
    parser.add_render_rule("link_open", _open_elsewhere)
    return parser


def _open_elsewhere(renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    del env
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    rendered: str = renderer.renderToken(tokens, index, options, {})  # type: ignore[attr-defined]
    return rendered
