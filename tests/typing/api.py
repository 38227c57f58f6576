"""The public API as a type checker sees it. Never run; mypy reads it with the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import runstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def a_script() -> None:
    """Use the client as a training script does."""
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


def a_block() -> None:
    """Use a run as a context manager."""
    with runstream.init() as run:
        assert_type(run, runstream.Run)


def a_reader() -> None:
    """Read a run back."""
    run = runstream.Api().run("me/p/abc")
    assert_type(run.state, str)
    rows: Iterator[dict[str, Any]] = run.scan_history(keys=["loss"])
    del rows
