"""Processes started by the real torchrun detect their rank."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.integrations

RANK = """
import json, os, pathlib
from runstream.settings import Settings
from runstream.tracking.startup.writer_identity import writer_label, writer_role
from runstream.tracking.startup.writer_identity import process_rank
shared = Settings(mode="shared", run_id="r")
role, label = writer_role(shared, os.environ).value, writer_label(shared, os.environ)
found = [role, label, process_rank(os.environ).as_metadata()]
pathlib.Path(f"{os.getpid()}.json").write_text(json.dumps(found))
"""


def test_ranks_of_torchrun_are_a_primary_and_a_worker(tmp_path: Path) -> None:
    """Two processes on one machine have their role, label and rank."""
    (tmp_path / "train.py").write_text(RANK)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    done = subprocess.run(
        launch, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )

    assert done.returncode == 0, done.stderr
    of_all = {"launcher": "torchrun", "node": 0, "world_size": 2}
    assert sorted(json.loads(path.read_text()) for path in tmp_path.glob("*.json")) == [
        ["primary", "rank 0", {**of_all, "rank": 0, "local_rank": 0}],
        ["worker", "rank 1", {**of_all, "rank": 1, "local_rank": 1}],
    ]
