"""``run.display()`` and ``run.to_html()``: the page of a run in a frame. :class:`Run` assigns them to its names."""

from __future__ import annotations

import html
from typing import Any

from runstream.terminal.notebook import is_notebook, show_html

#: Shows the frame after the button, and hides the button.
_REVEAL = "this.nextElementSibling.style.display='block';this.style.display='none'"


def frame_html(url: str | None, label: str, height: int, *, hidden: bool) -> str:
    """Return HTML with a run's page in a frame, if ``hidden`` opened by a button; or a note if it has no page."""
    label = html.escape(label)
    if url is None:
        return f"<p>Run {label} has no page: it is not online.</p>"
    style = f"border:none;width:100%;height:{max(0, int(height))}px;"
    shown = f'<iframe title="Run {label}" src="{html.escape(url, quote=True)}?embed=true" style="{style}"></iframe>'
    if not hidden:
        return shown
    button = f'<button type="button" onclick="{_REVEAL}">Show run {label}</button>'
    return button + shown.replace(f'style="{style}"', f'style="{style}display:none;" loading="lazy"')


def display_frame(url: str | None, label: str, height: int, *, hidden: bool) -> bool:
    """Display the frame; return whether it was displayed, which takes a notebook and a run with a page."""
    if not is_notebook() or url is None:
        return False
    return show_html(frame_html(url, label, height, hidden=hidden), plain=url)


def display(self: Any, height: int = 420, hidden: bool = False) -> bool:  # noqa: FBT001, FBT002 - the signature of W&B
    """Display the run's page in a notebook; return whether it was displayed.

    Args:
        height: Height of the frame in pixels.
        hidden: Show a button that opens the frame.
    """
    return display_frame(_page(self), self.name or self.id, height, hidden=hidden)


def to_html(self: Any, height: int = 420, hidden: bool = False) -> str:  # noqa: FBT001, FBT002
    """Return HTML with the run's page in a frame; arguments as for ``display()``."""
    url = _page(self)
    return frame_html(url, (url and self.name) or self.id, height, hidden=hidden)


def _page(run: Any) -> str | None:
    url: str | None = None if run.offline or run.disabled else run.url
    return url
