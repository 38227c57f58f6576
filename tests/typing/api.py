"""The public API as a type checker sees it. This module is not run, only checked by mypy."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import runstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def a_script() -> None:
    """Use the client like a training script."""
    run = runstream.init(project="p", config={"lr": 0.1}, tags=["a"], mode="offline")
    assert_type(run, runstream.Run)
    assert_type(runstream.run, runstream.Run | None)
    run.log({"loss": 0.5, "nested": {"a": 1}}, step=1, commit=True)
    run.summary["best"] = 1
    run.config.update({"lr": 0.2}, allow_val_change=True)
    run.tags += ("x",)
    assert_type(run.id, str)
    assert_type(run.url, str | None)
    assert_type(run.tags, tuple[str, ...])
    run.finish(exit_code=0)


def a_script_with_all_arguments() -> None:
    """Start runs with all arguments of W&B's signature."""
    settings = runstream.Settings(run_group="g", x_label="rank 0")
    run = runstream.init(
        entity="me",
        project="p",
        dir="runs",
        id="r1",
        name="n",
        notes="some",
        tags="one tag",
        config="config.yaml",
        config_include_keys=["lr"],
        allow_val_change=True,
        group="g",
        job_type="train",
        mode="shared",
        reinit="create_new",
        resume="allow",
        save_code=False,
        settings=settings,
    )
    assert_type(run.settings, runstream.Settings)
    assert_type(run.config, runstream.Config)
    assert_type(run.summary, runstream.Summary)
    assert_type(run.name, str | None)


def a_module() -> None:
    """Use the functions of the module like a script without a reference to its run."""
    runstream.init(reinit=True, resume=True)
    runstream.config.lr = 0.1
    runstream.config.setdefaults({"lr": 0.1})
    runstream.log({"loss": 0.5}, step=1, commit=False)
    runstream.alert("title", "text", level=runstream.AlertLevel.WARN, wait_duration=60)
    runstream.watch(None)
    runstream.unwatch()
    runstream.mark_preempting()
    runstream.termwarn("text", repeat=False)
    assert_type(runstream.login(), bool)
    try:
        runstream.config.update({"lr": 0.2})
    except runstream.ConfigError:
        runstream.finish(1)


def a_block() -> None:
    """Use a run as a context manager."""
    with runstream.init() as run:
        assert_type(run, runstream.Run)


def a_reader() -> None:
    """Read a run."""
    run = runstream.Api().run("me/p/abc")
    assert_type(run.state, str)
    rows: Iterator[dict[str, Any]] = run.scan_history(keys=["loss"])
    del rows
