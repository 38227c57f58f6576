"""The run's page in a frame: HTML, and its display in a notebook."""

from __future__ import annotations

import html
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runstream.tracking.run import Run


def frame(run: Run, height: int, *, hidden: bool) -> str:
    """Return HTML with the run's page in a frame of a height in pixels, or a note where it has no page."""
    url = None if run.offline or run.disabled else run.url
    if url is None:
        return f"<p>Run {html.escape(run.id)} has no page: it is not online.</p>"
    address = html.escape(url, quote=True)
    style = f"border:none;width:100%;height:{int(height)}px;"
    if not hidden:
        return f'<iframe src="{address}?embed=true" style="{style}"></iframe>'
    return f'<details><summary>Show run</summary><iframe src="{address}?embed=true" style="{style}"></iframe></details>'


def show(run: Run, height: int, *, hidden: bool) -> bool:
    """Show the frame in a notebook; return whether there is one and the run has a page."""
    shell = sys.modules.get("IPython")
    if shell is None or run.disabled or run.offline:
        return False
    interactive = shell.get_ipython()
    if interactive is None or not hasattr(interactive, "kernel"):
        return False
    from IPython.display import HTML, display  # noqa: PLC0415 - there only in a notebook

    display(HTML(frame(run, height, hidden=hidden)))
    return True
