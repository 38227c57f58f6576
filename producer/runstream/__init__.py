"""Runstream tracks machine-learning runs: ``init()`` begins one, ``log()`` records, ``finish()`` ends it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runstream.exceptions import CommError, ConfigError, DataError, DiskFullError, Error, UsageError
from runstream.tracking.run.session import SESSION as _SESSION
from runstream.tracking.run.session import UninitializedAttribute as _UninitializedAttribute

if TYPE_CHECKING:
    from runstream import plot
    from runstream.artifacts.artifact import Artifact
    from runstream.artifacts.ttl import ArtifactTTL
    from runstream.compat import environment as env
    from runstream.compat.stand_ins import agent, controller, login, require, setup, sweep
    from runstream.media.annotations import BoundingBoxes2D, Classes, ImageMask
    from runstream.media.audio import Audio
    from runstream.media.charts.plots import Bokeh, Plotly
    from runstream.media.graph import Graph
    from runstream.media.html import Html
    from runstream.media.image import Image
    from runstream.media.spatial.molecule import Molecule
    from runstream.media.spatial.object_3d import Object3D, box3d
    from runstream.media.video import Video
    from runstream.messages import termerror, termlog, termwarn
    from runstream.plot import Visualize, plot_table, visualize
    from runstream.public_api.api import Api
    from runstream.settings import Settings
    from runstream.tables.eval_table import EvalTable
    from runstream.tables.joined import JoinedTable, PartitionedTable
    from runstream.tables.table import Table
    from runstream.tracking.config.config import Config
    from runstream.tracking.run.alert import AlertLevel
    from runstream.tracking.run.run import Run
    from runstream.tracking.startup.initialize import init
    from runstream.tracking.summary.summary import Summary
    from runstream.tracking.values.histogram import Histogram

    run: Run | None
    config: Config
    summary: Summary

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "ArtifactTTL",
    "Audio",
    "Bokeh",
    "BoundingBoxes2D",
    "Classes",
    "CommError",
    "Config",
    "ConfigError",
    "DataError",
    "DiskFullError",
    "Error",
    "EvalTable",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "ImageMask",
    "JoinedTable",
    "Molecule",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Run",
    "Settings",
    "Summary",
    "Table",
    "UsageError",
    "Video",
    "Visualize",
    "agent",
    "alert",
    "box3d",
    "config",
    "controller",
    "define_metric",
    "env",
    "finish",
    "finish_artifact",
    "init",
    "link_artifact",
    "link_model",
    "log",
    "log_artifact",
    "log_code",
    "log_model",
    "login",
    "mark_preempting",
    "pin_config_keys",
    "plot",
    "plot_table",
    "require",
    "restore",
    "run",
    "save",
    "setup",
    "summary",
    "sweep",
    "teardown",
    "termerror",
    "termlog",
    "termwarn",
    "unwatch",
    "upsert_artifact",
    "use_artifact",
    "use_model",
    "visualize",
    "watch",
]

log = _SESSION.log
watch = _SESSION.watch
finish = _SESSION.finish
restore = _SESSION.restore
teardown = _SESSION.teardown

alert = _SESSION.run_function("alert")
define_metric = _SESSION.run_function("define_metric")
unwatch = _SESSION.run_function("unwatch")
mark_preempting = _SESSION.run_function("mark_preempting")
pin_config_keys = _SESSION.run_function("pin_config_keys")
finish_artifact = _SESSION.run_function("finish_artifact")
link_artifact = _SESSION.run_function("link_artifact")
link_model = _SESSION.run_function("link_model")
log_artifact = _SESSION.run_function("log_artifact")
log_code = _SESSION.run_function("log_code")
log_model = _SESSION.run_function("log_model")
save = _SESSION.run_function("save")
upsert_artifact = _SESSION.run_function("upsert_artifact")
use_artifact = _SESSION.run_function("use_artifact")
use_model = _SESSION.run_function("use_model")

#: Imported at first use: a program that only logs needs neither the reading side nor, before init(), the settings.
_LAZY = {
    "AlertLevel": "runstream.tracking.run.alert",
    "Artifact": "runstream.artifacts.artifact",
    "ArtifactTTL": "runstream.artifacts.ttl",
    "Api": "runstream.public_api.api",
    "Config": "runstream.tracking.config.config",
    "Histogram": "runstream.tracking.values.histogram",
    "Run": "runstream.tracking.run.run",
    "Settings": "runstream.settings",
    "Summary": "runstream.tracking.summary.summary",
    "init": "runstream.tracking.startup.initialize",
    **dict.fromkeys(("BoundingBoxes2D", "Classes", "ImageMask"), "runstream.media.annotations"),
    **dict.fromkeys(("Bokeh", "Plotly"), "runstream.media.charts.plots"),
    **dict.fromkeys(("Object3D", "box3d"), "runstream.media.spatial.object_3d"),
    **{name: f"runstream.media.{name.lower()}" for name in ("Audio", "Graph", "Html", "Image", "Video")},
    "Molecule": "runstream.media.spatial.molecule",
    **dict.fromkeys(("termerror", "termlog", "termwarn"), "runstream.messages"),
    # What scripts written for W&B name besides, and what comes with files and artifacts.
    **dict.fromkeys(("agent", "controller", "login", "require", "setup", "sweep"), "runstream.compat.stand_ins"),
    "EvalTable": "runstream.tables.eval_table",
    **dict.fromkeys(("JoinedTable", "PartitionedTable"), "runstream.tables.joined"),
    "Table": "runstream.tables.table",
    **dict.fromkeys(("Visualize", "plot_table", "visualize"), "runstream.plot"),
}
#: Modules of ours under the names that W&B gives them.
_MODULES = {
    "env": "runstream.compat.environment",
    "errors": "runstream.exceptions",
    "integration": "runstream.integration",
    "plot": "runstream.plot",
    "tensorboard": "runstream.tensorboard",
    "util": "runstream.compat.stand_ins",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        found = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return found
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "run":
        return _SESSION.run
    if name in {"config", "summary"}:
        return _UninitializedAttribute(name) if _SESSION.run is None else getattr(_SESSION.run, name)
    if name == "__version__":
        return import_module("importlib.metadata").version("runstream")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LAZY, *_MODULES})
