"""Logging to W&B and to Runstream at the same time, to try Runstream before leaving W&B.

    import wandb
    from runstream.compat import mirror

    mirror.start()

After that, each run of ``wandb.init()`` has a run with the same id, project and name in Runstream, and changes of the
first are applied to the second. W&B is called first, and its results and errors are returned to the script. Errors of
Runstream are warnings.
"""

from __future__ import annotations

import functools
import os
import threading
from operator import getitem
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import runstream
from runstream.tracking.values.encoder import DEFAULT_ENCODER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Methods of W&B's run that are called on the other run with the same arguments.
_CALLS = ("log", "define_metric", "alert", "mark_preempting")
_ATTRIBUTES = ("name", "notes", "tags")
_CONFIG_CHANGES = ("update", "setdefaults", "__setitem__", "__setattr__")
_SUMMARY_CHANGES = ("update", "__setitem__", "__setattr__", "__delitem__")


def start(**arguments: Any) -> None:
    """Mirror the runs of W&B from now on, including the active one; a second call does nothing.

    An unsupported version of W&B is not mirrored, with a warning.

    Args:
        arguments: Arguments of ``runstream.init()`` that override those of W&B's run, for example ``mode="offline"``.

    Raises:
        UsageError: ``wandb`` is provided by Runstream in this process.
        ImportError: W&B is not installed.
    """
    if _MIRROR.replaced:
        return
    import wandb  # noqa: PLC0415 - only needed here

    if not hasattr(wandb, "__file__"):
        raise runstream.UsageError("Nothing to mirror: wandb is provided by Runstream in this process")
    try:
        _MIRROR.start(wandb, arguments)
    except AttributeError as error:
        _MIRROR.stop()
        runstream.termwarn(f"Cannot mirror this version of wandb: {error}")


def stop() -> None:
    """Stop mirroring, and finish the runs in Runstream."""
    _MIRROR.stop()


class _Mirror:
    """Wraps W&B's functions, and restores them."""

    def __init__(self) -> None:
        #: Owner, name and original of each wrapped function; empty unless runs are mirrored.
        self.replaced: list[tuple[Any, str, Any]] = []
        self._runs: WeakKeyDictionary[Any, runstream.Run] = WeakKeyDictionary()
        self._arguments: Mapping[str, Any] = {}
        self._failed: set[str] = set()
        self._thread = threading.local()

    def start(self, wandb: Any, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments
        run = wandb.sdk.wandb_run.Run
        self._replace(wandb, "init", self._around_init(wandb.init))
        for name in ("finish", "__exit__"):
            self._replace(run, name, self._around_end(getattr(run, name), name))
        for name in _CALLS:
            self._replace(run, name, self._around_call(getattr(run, name), name))
        for name in _ATTRIBUTES:
            self._replace(run, name, self._around_setter(getattr(run, name), name))
        config = wandb.sdk.wandb_config.Config
        for name in _CONFIG_CHANGES:
            self._replace(config, name, self._around_change(getattr(config, name), "config", self._mirror_config))
        summary = wandb.sdk.wandb_summary.SummaryDict
        for name in _SUMMARY_CHANGES:
            self._replace(
                summary, name, self._around_change(getattr(summary, name), "summary", self._mirror_summary, name)
            )
        if wandb.run is not None:
            self._begin(wandb.run, resumes=False)

    def stop(self) -> None:
        for owner, name, original in reversed(self.replaced):
            setattr(owner, name, original)
        self.replaced.clear()
        for run in list(self._runs.values()):
            self._quietly("finish()", run.finish)
        self._runs.clear()

    def _replace(self, owner: Any, name: str, replacement: Any) -> None:
        self.replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, replacement)

    def _quietly(self, what: str, action: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call a function of Runstream; warn once of each kind of error."""
        try:
            return action(*arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - must not affect a script written for W&B
            if what not in self._failed:
                self._failed.add(what)
                runstream.termwarn(f"Cannot mirror {what}: {error}")
            return None

    def _begin(self, run: Any, *, resumes: bool) -> None:
        if run in self._runs or run.disabled:
            return
        if (mirrored := self._quietly("init()", _start_run, run, self._arguments, resumes=resumes)) is not None:
            self._runs[run] = mirrored

    def _around_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def init(*arguments: Any, **keywords: Any) -> Any:
            run = original(*arguments, **keywords)
            self._begin(run, resumes=bool(keywords.get("resume") or os.environ.get("WANDB_RESUME")))
            return run

        return init

    def _log(self, run: runstream.Run, data: Mapping[str, Any], *arguments: Any, **keywords: Any) -> None:
        try:
            run.log(data, *arguments, **keywords)
        except runstream.DataError:
            kept = {key: value for key, value in data.items() if _recordable(value)}
            if new := sorted(data.keys() - kept.keys() - self._failed):
                self._failed.update(new)
                keys = ", ".join(new)
                runstream.termwarn(f"Cannot mirror objects of W&B and of other types that cannot be recorded: {keys}")
            run.log(kept, *arguments, **keywords)

    def _around_end(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def end(run: Any, *arguments: Any, **keywords: Any) -> Any:
            # Before W&B's __exit__ calls finish(), which does not get the exception.
            mirrored = self._runs.pop(run, None)
            try:
                return original(run, *arguments, **keywords)
            finally:
                if mirrored is not None:
                    self._quietly("finish()", getattr(mirrored, name), *arguments, **keywords)

        return end

    def _around_call(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(run: Any, *arguments: Any, **keywords: Any) -> Any:
            done = original(run, *arguments, **keywords)
            if (mirrored := self._runs.get(run)) is not None:
                action = functools.partial(self._log, mirrored) if name == "log" else getattr(mirrored, name)
                self._quietly(f"{name}()", action, *arguments, **keywords)
            return done

        return call

    def _around_setter(self, original: property, name: str) -> property:
        def assign(run: Any, value: Any) -> None:
            assert original.fset is not None  # noqa: S101 - all of them have a setter in W&B
            original.fset(run, value)
            if (mirrored := self._runs.get(run)) is not None:
                self._quietly(name, setattr, mirrored, name, value)

        return property(original.fget, assign, doc=original.__doc__)

    def _around_change(
        self, original: Callable[..., Any], what: str, mirror: Callable[..., None], *first: Any
    ) -> Callable[..., Any]:
        """Wrap a method that changes config or summary. One that calls another wrapped method is mirrored once."""

        @functools.wraps(original)
        def change(changed: Any, *arguments: Any, **keywords: Any) -> Any:
            outermost = not getattr(self._thread, "changing", False)
            self._thread.changing = True
            try:
                done = original(changed, *arguments, **keywords)
            finally:
                self._thread.changing = not outermost
            if outermost:
                self._quietly(what, mirror, changed, *first, *arguments, **keywords)
            return done

        return change

    def _mirror_config(self, config: Any, *_arguments: Any, **_keywords: Any) -> None:
        for run, mirrored in list(self._runs.items()):
            if run.config is config:
                mirrored.config.update(dict(config), allow_val_change=True)

    def _mirror_summary(self, summary: Any, name: str, *arguments: Any, **keywords: Any) -> None:
        path: list[str] = []
        while (parent := vars(summary).get("_parent")) is not None:  # W&B has no public attribute for it.
            path.insert(0, vars(summary)["_parent_key"])
            summary = parent
        for run, mirrored in list(self._runs.items()):
            if run.summary is summary:
                getattr(functools.reduce(getitem, path, mirrored.summary), name)(*arguments, **keywords)


def _start_run(run: Any, arguments: Mapping[str, Any], *, resumes: bool) -> runstream.Run:
    """Start the run that mirrors a run of W&B."""
    given = {
        "project": run.project,
        "id": run.id,
        "name": run.name,
        "notes": run.notes,
        "tags": run.tags,
        "group": run.group,
        "job_type": run.job_type,
        "config": dict(run.config),
        # Not the mode of W&B: an offline run of W&B may be online in Runstream.
        "mode": os.environ.get("RUNSTREAM_MODE") or "online",
        "reinit": "create_new",
        "resume": "allow" if resumes else None,
    }
    return runstream.init(
        **{**{name: value for name, value in given.items() if value not in (None, "", ())}, **arguments}
    )


def _recordable(value: Any) -> bool:
    try:
        DEFAULT_ENCODER.value(value)
    except runstream.DataError:
        return False
    return True


_MIRROR = _Mirror()
