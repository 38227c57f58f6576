"""The run's page in a frame: HTML, and its display in a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from runstream.terminal.notebook import is_notebook, show_html

if TYPE_CHECKING:
    from runstream.tracking.run.run import Run

#: Shows the frame behind the button, and hides the button.
_REVEAL = "this.nextElementSibling.style.display='block';this.style.display='none'"


def frame(run: Run, height: int, *, hidden: bool) -> str:
    """Return HTML with the run's page in a frame of a height in pixels, or a note where it has no page."""
    url = _page(run)
    if url is None:
        return f"<p>Run {html.escape(run.id)} has no page: it is not online.</p>"
    label = html.escape(run.name or run.id)
    style = f"border:none;width:100%;height:{max(0, int(height))}px;"
    shown = f'<iframe title="Run {label}" src="{html.escape(url, quote=True)}?embed=true" style="{style}"></iframe>'
    if not hidden:
        return shown
    button = f'<button type="button" onclick="{_REVEAL}">Show run {label}</button>'
    return button + shown.replace(f'style="{style}"', f'style="{style}display:none;" loading="lazy"')


def show(run: Run, height: int, *, hidden: bool) -> bool:
    """Show the frame in a notebook; return whether it was shown: there is a notebook, and the run has a page."""
    url = _page(run)
    if not is_notebook() or url is None:
        return False
    return show_html(frame(run, height, hidden=hidden), plain=url)


def _page(run: Run) -> str | None:
    return None if run.offline or run.disabled else run.url
