"""No value of a program makes tracking raise an undocumented error, and what is recorded can be stored."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import runstream
from runstream.exceptions import ConfigError, DataError, Error, UsageError
from runstream_schemas.events import Kind
from tests.property.values.hostile import KEYS, TEXTS, VALUES, MissingItem, Recipe, built, objects, raising, unusual
from tests.property.values.published import events_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The errors that docs/errors.md lists for an invalid call.
DOCUMENTED = (Error, ValueError, TypeError)
_RUNS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print nothing, and record no console."""
    monkeypatch.setenv("RUNSTREAM_SILENT", "true")
    monkeypatch.setenv("RUNSTREAM_CONSOLE", "off")
    monkeypatch.setenv("RUNSTREAM_MODE", "offline")


@contextlib.contextmanager
def running(folder: Path, **arguments: Any) -> Iterator[Any]:
    """Begin a run; afterwards, finish it and check that all its records can be stored."""
    run = runstream.init(project="p", dir=folder, reinit="create_new", **arguments)
    try:
        yield run
    finally:
        run.finish()
    spool = next(folder.glob(f"runstream/run-*-{run.id}/spool/*"))
    assert [event.header.reason for event in events_of(spool) if event.header.kind is Kind.DROPPED] == []


@_RUNS
@given(data=st.dictionaries(KEYS, VALUES, max_size=4) | VALUES)
def test_rows(tmp_path: Path, data: Any) -> None:
    """A row is recorded, or refused with DataError; other rows are not affected."""
    with running(tmp_path) as run:
        run.log({"before": 1.0})
        with contextlib.suppress(DataError):
            run.log(built(data))
        run.log({"after": 1.0})


@_RUNS
@given(config=st.dictionaries(KEYS, VALUES, max_size=4) | VALUES)
@example(config=Recipe(20, 9))
def test_config(tmp_path: Path, config: Any) -> None:
    """A config is recorded; what is not a config raises TypeError, and media in a config DataError."""
    with contextlib.suppress(TypeError, ConfigError, DataError), running(tmp_path, config=built(config)):
        pass
    with running(tmp_path) as run:
        with contextlib.suppress(TypeError, ConfigError, DataError):
            run.config.update(built(config), allow_val_change=True)
        with contextlib.suppress(DataError):
            run.config["key"] = built(config)
        run.config.setdefaults({"other": 1})
        assert "other" in run.config


@_RUNS
@given(values=st.dictionaries(KEYS, VALUES, max_size=4))
def test_summary(tmp_path: Path, values: dict[Any, Any]) -> None:
    """Assigned values are recorded, or refused with DataError."""
    with running(tmp_path) as run:
        with contextlib.suppress(DataError):
            run.summary.update(built(values))
        for key, value in values.items():
            with contextlib.suppress(DataError):
                run.summary[key] = built(value)
            run.summary.get(key)
        run.summary.as_dict()


def test_objects_as_arguments(tmp_path: Path) -> None:
    """Each hostile object is accepted, or refused with the documented error, also when it is passed a second time."""
    with running(tmp_path) as run:
        for value in [*objects(OSError), *unusual(), np.zeros(0), np.zeros((9, 9)), itertools.repeat("tag")] * 2:
            for documented, call in (
                (DataError, run.log),
                (DataError, run.summary.update),
                ((TypeError, ConfigError), lambda config: run.config.update(config, allow_val_change=True)),
                (ValueError, lambda level: run.alert("a", "b", level=level)),
                (TypeError, lambda wait: run.alert("a", "b", wait_duration=wait)),
                (Error, run.define_metric),
                (Error, lambda axis: run.define_metric("a", step_metric=axis)),
                (UsageError, run.pin_config_keys),
                ((), lambda tags: setattr(run, "tags", tags)),
            ):
                try:
                    call(value)
                except documented:
                    continue


def test_a_note_may_be_replaced(tmp_path: Path) -> None:
    """A config key that has a note in place of a value may get a value."""
    with running(tmp_path, config={"a": objects(OSError)[0], "b": 1}) as run:
        for config in (
            MissingItem(OSError),
            raising(OSError, ["keys", "items"])(),
            raising(KeyError, ["keys", "items"])(),
        ):
            run.config.update(config)
        run.config.update({"a": 2})
        assert run.config.a == 2
        with pytest.raises(ConfigError):
            run.config.update({"b": 2})


def test_one_value_has_few_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value with many parts that cannot be recorded prints four warnings, and hides those of other values not."""
    printed: list[str] = []
    monkeypatch.setattr("runstream.terminal.terminal.Terminal.line", lambda _, text: printed.append(text))
    with running(tmp_path) as run:
        run.log({"many": {str(at): MissingItem(OSError) for at in range(9)}, "one": {"x": MissingItem(OSError)}})
    assert [text.split()[1] for text in printed] == [
        *(f"'many.{at}.missing'" for at in range(3)),
        "More",
        "'one.x.missing'",
    ]
    assert printed[3].startswith("WARNING More values in 'many'")


@_RUNS
@given(
    arguments=st.dictionaries(
        st.sampled_from(["name", "notes", "tags", "group", "job_type", "magic", "force", "config_exclude_keys"]),
        VALUES | TEXTS,
        max_size=2,
    )
)
def test_arguments_of_init(tmp_path: Path, arguments: dict[str, Any]) -> None:
    """A run begins, or an invalid argument raises ValueError."""
    with contextlib.suppress(ValueError, UsageError), running(tmp_path, **built(arguments)):
        pass


@_RUNS
@given(name=KEYS, value=VALUES, other=VALUES | TEXTS)
def test_other_calls(tmp_path: Path, name: Any, value: Any, other: Any) -> None:
    """Each call does its work, or raises an error that is documented."""
    value, other = built(value), built(other)
    with running(tmp_path) as run:
        for call in (
            lambda: run.define_metric(name, step_metric=other),
            lambda: run.define_metric("a", summary=other, goal=value, hidden=name),
            lambda: run.alert(value, other),
            lambda: run.alert("a", "b", level=other, wait_duration=value),
            lambda: run.log({"a": 1}, step=value),
            lambda: run.log({"a": 1}, commit=value),
            lambda: setattr(run, "name", value),
            lambda: setattr(run, "notes", other),
            lambda: setattr(run, "tags", value),
            lambda: run.pin_config_keys(value),
            lambda: run.save(value),
            lambda: run.log_artifact(value),
        ):
            with contextlib.suppress(*DOCUMENTED):
                call()
        run.log({"after": 1})


@_RUNS
@given(text=TEXTS)
def test_names_of_runs(tmp_path: Path, text: str) -> None:
    """An id that cannot be part of a path is refused; any other one is one that the consumers accept."""
    with contextlib.suppress(UsageError), running(tmp_path, id=text or None):
        pass
