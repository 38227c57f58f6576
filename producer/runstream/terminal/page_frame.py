"""HTML that shows the page of a run in a frame, for notebooks."""

from __future__ import annotations

import html

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
