"""``Run.log`` as a method."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import runstream
from runstream import Run
from runstream.spool.format import TopicCode
from tests.unit.producer.spooled import of_topic, primary

if TYPE_CHECKING:
    from pathlib import Path


def test_run_log_can_be_patched_on_the_class(tmp_path: Path) -> None:
    """A function that replaces ``Run.log`` receives every call, and the rows that it passes on are recorded."""
    run = runstream.init(project="demo", mode="offline", dir=tmp_path, settings={"silent": True, "console": "off"})
    with mock.patch.object(Run, "log", autospec=True, side_effect=Run.log) as log:
        run.log({"a": 1})
        runstream.log({"a": 2}, step=5)
    run.finish()

    assert [call.args[1] for call in log.call_args_list] == [{"a": 1}, {"a": 2}]
    assert of_topic(primary(tmp_path), TopicCode.LOG) == [{"a": 1}, {"a": 2}]
