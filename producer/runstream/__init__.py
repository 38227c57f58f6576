"""Runstream tracks machine-learning runs: ``init()`` begins one, ``log()`` records, ``finish()`` ends it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runstream.exceptions import CommError, DataError, DiskFullError, Error, UnsupportedError, UsageError
from runstream.tracking.session import SESSION as _SESSION

if TYPE_CHECKING:
    from runstream.reading.api import Api as Api
    from runstream.settings import Settings as Settings
    from runstream.tracking.config import Config
    from runstream.tracking.initialise import init as init
    from runstream.tracking.run import Run as Run
    from runstream.tracking.summary import Summary

    run: Run | None
    config: Config
    summary: Summary

__all__ = [
    "Api",
    "CommError",
    "DataError",
    "DiskFullError",
    "Error",
    "Run",
    "Settings",
    "UnsupportedError",
    "UsageError",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "run",
    "summary",
]

log = _SESSION.log
define_metric = _SESSION.define_metric
finish = _SESSION.finish

#: Imported at first use: a program that only logs needs neither the reading side nor, before init(), the settings.
_LAZY = {
    "Api": "runstream.reading.api",
    "Run": "runstream.tracking.run",
    "Settings": "runstream.settings",
    "init": "runstream.tracking.initialise",
    **dict.fromkeys(("termerror", "termlog", "termwarn"), "runstream.messages"),
    # What scripts written for W&B name besides, and what comes with files and artifacts.
    **dict.fromkeys(
        ("agent", "controller", "login", "require", "setup", "sweep", "teardown"), "runstream.compat.stand_ins"
    ),
    **dict.fromkeys(
        (
            "Artifact",
            "ArtifactTTL",
            "Audio",
            "Classes",
            "EvalTable",
            "Graph",
            "Histogram",
            "Html",
            "Image",
            "JoinedTable",
            "Molecule",
            "Object3D",
            "Plotly",
            "Table",
            "Video",
        ),
        "runstream.media_to_come",
    ),
}
_SUBMODULES = frozenset({"integration", "plot"})


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name == "run":
        return _SESSION.run
    if name in {"config", "summary"}:
        return getattr(_SESSION.active(name), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("runstream")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
