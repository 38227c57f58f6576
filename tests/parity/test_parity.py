"""Recorded behavior of W&B's SDK: each case has the same outcome with Runstream and the whole stack."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.running_stack import Stack

HERE = Path(__file__).parent
#: Cases with an intended difference: what differs, and why.
DIFFERENCES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "artifact__log_twice": (("r1.artifacts",), "the same contents are one version, with the aliases of both calls"),
    "artifact__upsert": (("r1.artifacts",), "contributions are merged into one version; an unfinished one has none"),
    "identity__no_project": (("returned.project", "returned.path"), 'the default project is called "Uncategorized"'),
    "identity__readonly_properties": (("warnings",), "recorded offline, without a URL; here the run has one"),
    "log__explicit_same_step_commit": (("r1.summary.late",), "a late row is kept, and its key has no later value"),
    "log__other_types": (
        ("returned.range.raised.tracker_error", "returned.thing.raised.tracker_error"),
        "invalid data raises one class, a subclass of Error",
    ),
    "log__step_not_int": (
        ("returned.float.raised.tracker_error", "returned.string.raised.tracker_error"),
        "invalid data raises one class, a subclass of Error",
    ),
    "media__matplotlib_free_objects": (
        ("returned.mixed.raised.tracker_error",),
        "invalid data raises one class, a subclass of Error",
    ),
    "summary__dropped_rows_do_not_count": (
        ("r1.summary.a.max", "r1.summary.only"),
        "a late row is kept and aggregated",
    ),
}


def _load(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        spec = importlib.util.spec_from_file_location(f"parity_{name}", HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(HERE))
    return module


RUNNER = _load("run_parity")
# Each file is parsed once, below: Python 3.11 fails now and then if several threads parse at a time.
RUNNER.facts = cache(RUNNER.facts)
CASES = [path.stem for path in sorted((HERE / "cases").glob("*.py")) if RUNNER.facts(path.stem).SKIP is None]


@pytest.fixture(scope="module")
def outcomes(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Any]]]:
    """Run the selected cases, a few at a time, each in its own processes."""
    chosen = {item.name for item in request.session.items}
    wanted = [case for case in CASES if f"test_case[{case}]" in chosen]
    before = dict(os.environ)
    os.environ |= {"RUNSTREAM_URL": stack.url, "RUNSTREAM_API_KEY": stack.token}
    adapter = str(HERE / "adapter.py")
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        yield {case: pool.submit(RUNNER.one, adapter, case, 120) for case in wanted}
        pool.shutdown(cancel_futures=True)
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_case(case: str, outcomes: Mapping[str, Future[Any]]) -> None:
    """The outcome is the recorded one, except for intended differences."""
    got = outcomes[case].result()
    assert "harness_error" not in got, got["harness_error"]
    recorded = json.loads((HERE / "golden" / f"{case}.json").read_text())["outcome"]
    found = list(RUNNER.compare(RUNNER.facts(case), recorded, got))
    allowed, _reason = DIFFERENCES.get(case, ((), ""))
    assert [line for line in found if not line.startswith(allowed)] == []
    assert len(found) >= len(allowed), "The case has no difference any more: remove it from DIFFERENCES"
