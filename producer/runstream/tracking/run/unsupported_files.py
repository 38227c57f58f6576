"""Methods of a run for files, models and artifacts, which are not supported yet.

Each has the signature of W&B, does nothing but print a warning, and returns what a program can go on with; with the
setting ``strict`` it raises :class:`UnsupportedError`. :class:`Run` assigns them to its names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.exceptions import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable


def log_code(
    self: Any,
    root: str | None = ".",
    name: str | None = None,
    include_fn: Callable[..., bool] | None = None,
    exclude_fn: Callable[..., bool] | None = None,
) -> Any:
    """Save the code as an artifact."""
    _leave_out(self, "log_code")


def _leave_out(run: Any, method: str) -> None:
    """Warn once that a method is not supported yet; raises UnsupportedError with the setting ``strict``."""
    text = f"run.{method}() is not supported yet, like all of files and artifacts; nothing was recorded"
    if run.settings.strict:
        raise UnsupportedError(f"{text}. Store the file yourself and log its path")
    if not run.disabled:
        run._backend.terminal.warn(text)  # noqa: SLF001 - a method of the run
