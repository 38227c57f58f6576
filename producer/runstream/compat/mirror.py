"""Logging to W&B and to Runstream at once, for those who keep the one while they try the other.

    import wandb
    from runstream.compat import mirror

    mirror.start()

From then on each run of ``wandb.init()`` has a run of the same id, project and name in Runstream, and what is done with
the one is done with the other. W&B goes first and decides; nothing that goes wrong in Runstream reaches the script.
"""

from __future__ import annotations

import functools
import os
import threading
from operator import getitem
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from runstream.exceptions import DataError, UsageError
from runstream.messages import termwarn
from runstream.tracking.values.encoder import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.tracking.run.run import Run

#: What of W&B's run is done again, by the same name and with the same arguments.
_CALLS = ("define_metric", "alert", "mark_preempting")
_ATTRIBUTES = ("name", "notes", "tags")
_CONFIG_CHANGES = ("update", "setdefaults", "__setitem__", "__setattr__")
_SUMMARY_CHANGES = ("update", "__setitem__", "__setattr__", "__delitem__")


def start(**arguments: Any) -> None:
    """Mirror the runs of W&B from now on, the active one included; a second call does nothing.

    A version of W&B that is not known well enough is left alone, with a warning.

    Args:
        arguments: Of ``runstream.init()``, to go before those of W&B's run: ``mode="offline"``, another ``project``.

    Raises:
        UsageError: ``wandb`` is not W&B here, but answered by Runstream.
        ImportError: W&B is not installed.
    """
    if _MIRROR.active:
        return
    import wandb  # noqa: PLC0415 - nobody needs it who does not call this

    if not hasattr(wandb, "__file__"):
        raise UsageError("wandb is answered by Runstream in this process, so there is nothing to mirror")
    try:
        _MIRROR.start(wandb, arguments)
    except AttributeError as error:
        _MIRROR.stop()
        termwarn(f"this version of wandb cannot be mirrored, and is not: {error}")


def stop() -> None:
    """Mirror no longer; runs that are mirrored end as if they were finished."""
    _MIRROR.stop()


class _Mirror:
    """Puts itself around W&B's functions, and takes itself out again."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any]] = []
        self._runs: WeakKeyDictionary[Any, Run] = WeakKeyDictionary()
        self._arguments: Mapping[str, Any] = {}
        self._failed: set[str] = set()
        self._thread = threading.local()

    @property
    def active(self) -> bool:
        return bool(self._replaced)

    def start(self, wandb: Any, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments
        run = wandb.sdk.wandb_run.Run
        self._replace(wandb, "init", self._around_init(wandb.init))
        self._replace(run, "log", self._around_log(run.log))
        self._replace(run, "finish", self._around_finish(run.finish))
        self._replace(run, "__exit__", self._around_exit(run.__exit__))
        for name in _CALLS:
            self._replace(run, name, self._again(getattr(run, name), name))
        for name in _ATTRIBUTES:
            self._replace(run, name, self._settable(getattr(run, name), name))
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
        for owner, name, original in reversed(self._replaced):
            setattr(owner, name, original)
        self._replaced.clear()
        for run in list(self._runs.values()):
            self._quietly("finish()", run.finish)
        self._runs.clear()

    def _replace(self, owner: Any, name: str, replacement: Any) -> None:
        self._replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, replacement)

    def _quietly(self, what: str, action: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Do something with Runstream; say once what went wrong with it."""
        try:
            return action(*arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - the script was written for W&B and must not notice
            if what not in self._failed:
                self._failed.add(what)
                termwarn(f"{what} is not mirrored: {error}")
            return None

    def _begin(self, run: Any, *, resumes: bool) -> None:
        if run in self._runs or run.disabled:
            return
        mirrored = self._quietly("init()", _begun, run, self._arguments, resumes=resumes)
        if mirrored is not None:
            self._runs[run] = mirrored

    def _around_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def init(*arguments: Any, **keywords: Any) -> Any:
            run = original(*arguments, **keywords)
            self._begin(run, resumes=bool(keywords.get("resume") or os.environ.get("WANDB_RESUME")))
            return run

        return init

    def _around_log(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def log(run: Any, data: Any, *arguments: Any, **keywords: Any) -> Any:
            done = original(run, data, *arguments, **keywords)
            if (mirrored := self._runs.get(run)) is not None:
                self._quietly("log()", self._log, mirrored, data, *arguments, **keywords)
            return done

        return log

    def _log(self, run: Run, data: Mapping[str, Any], *arguments: Any, **keywords: Any) -> None:
        try:
            run.log(data, *arguments, **keywords)
        except DataError:
            kept = {key: value for key, value in data.items() if _recordable(value)}
            self._leave_out(sorted(set(data) - set(kept)))
            run.log(kept, *arguments, **keywords)

    def _leave_out(self, keys: list[str]) -> None:
        if unsaid := [key for key in keys if key not in self._failed]:
            self._failed.update(unsaid)
            termwarn(f"values that Runstream does not take yet are not mirrored: {', '.join(unsaid)}")

    def _around_finish(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def finish(run: Any, exit_code: int | None = None, *arguments: Any, **keywords: Any) -> Any:
            mirrored = self._runs.pop(run, None)
            try:
                return original(run, exit_code, *arguments, **keywords)
            finally:
                if mirrored is not None:
                    self._quietly("finish()", mirrored.finish, exit_code)

        return finish

    def _around_exit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def leave(run: Any, *raised: Any) -> Any:
            # Before W&B calls finish(), which knows no exception.
            mirrored = self._runs.pop(run, None)
            try:
                return original(run, *raised)
            finally:
                if mirrored is not None:
                    self._quietly("finish()", mirrored.__exit__, *raised)

        return leave

    def _again(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(run: Any, *arguments: Any, **keywords: Any) -> Any:
            done = original(run, *arguments, **keywords)
            if (mirrored := self._runs.get(run)) is not None:
                self._quietly(f"{name}()", getattr(mirrored, name), *arguments, **keywords)
            return done

        return call

    def _settable(self, original: property, name: str) -> property:
        def assign(run: Any, value: Any) -> None:
            assert original.fset is not None  # noqa: S101 - W&B lets all of these be set
            original.fset(run, value)
            if (mirrored := self._runs.get(run)) is not None:
                self._quietly(name, setattr, mirrored, name, value)

        return property(original.fget, assign, doc=original.__doc__)

    def _around_change(
        self, original: Callable[..., Any], what: str, mirror: Callable[..., None], *first: Any
    ) -> Callable[..., Any]:
        """Wrap a method that changes config or summary; one that W&B makes of another is mirrored once."""

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
        while (parent := vars(summary).get("_parent")) is not None:  # W&B has no other way to ask.
            path.insert(0, vars(summary)["_parent_key"])
            summary = parent
        for run, mirrored in list(self._runs.items()):
            if run.summary is summary:
                getattr(functools.reduce(getitem, path, mirrored.summary), name)(*arguments, **keywords)


def _begun(run: Any, arguments: Mapping[str, Any], *, resumes: bool) -> Run:
    """Begin the mirror of a run of W&B."""
    # Not at the top: the settings are heavy, and a script that only imports this needs none.
    from runstream.tracking.startup.initialize import init  # noqa: PLC0415

    given = {
        "project": run.project,
        "id": run.id,
        "name": run.name,
        "notes": run.notes,
        "tags": run.tags,
        "group": run.group,
        "job_type": run.job_type,
        "config": dict(run.config),
        # W&B's own mode is no wish of Runstream's.
        "mode": os.environ.get("RUNSTREAM_MODE") or "online",
        "reinit": "create_new",
        "resume": "allow" if resumes else None,
    }
    return init(**{**{name: value for name, value in given.items() if value not in (None, "", ())}, **arguments})


def _recordable(value: Any) -> bool:
    try:
        plain(value)
    except DataError:
        return False
    return True


_MIRROR = _Mirror()
