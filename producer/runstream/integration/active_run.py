"""The run that an integration logs to, and what integrations leave out."""

from __future__ import annotations

import runstream
from runstream.unsupported_media import raise_unsupported


def active_run(name: str) -> runstream.Run:
    """Return the active run; raises Error, which names the integration, if no run is active."""
    if runstream.run is None:
        raise runstream.Error(f"No active run: call runstream.init() before {name}")
    return runstream.run


def leave_out(what: str) -> None:
    """Warn once that an option is not supported yet; raises UnsupportedError with the setting ``strict``."""
    if runstream.run is not None and runstream.run.settings.strict:
        raise_unsupported(what)
    runstream.termwarn(f"{what} is not supported yet, like all of files; nothing is uploaded", repeat=False)


def warn_not_uploaded(what: str, path: object) -> None:
    """Warn once that a file is not uploaded."""
    runstream.termwarn(
        f"{what} stays at {path}: this version of Runstream does not upload files, which comes with artifacts",
        repeat=False,
    )


def warn_no_importance_chart(argument: str) -> None:
    """Warn once that the chart of feature importance is left out, and name the argument that disables both."""
    runstream.termwarn(
        "The chart of feature importance is left out: this version of Runstream has no charts, which come with "
        f"artifacts; pass {argument} to hide this warning",
        repeat=False,
    )
