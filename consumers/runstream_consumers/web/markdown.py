"""Notes and pinned values as HTML: CommonMark with tables, without anything that a browser would run or fetch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markupsafe import Markup

#: Longer texts are truncated.
_LONGEST = 20_000


def markdown(text: str) -> Markup:
    """Return the HTML of a text; HTML in the text is shown as source, and images as their alternative text."""
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return Markup(_parser().render(shown))  # noqa: S704 - the parser escapes all HTML


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
