"""``make demo`` against a running stack."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Stack


def test_four_runs_end_as_expected(stack: Stack) -> None:
    """Each run is complete and in the expected state, and its curves are drawn."""
    done = subprocess.run(
        [sys.executable, "-m", "runstream_deploy.demo"],
        env={**stack.environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"✓ (finished|failed|crashed)", done.stdout) == ["finished", "failed", "crashed", "finished"]
    assert done.stdout.count("delivery") == done.stdout.count("complete") == 4
    assert f"{stack.url}/{stack.entity}/digits" in done.stdout
    assert re.search(r"media\s+guesses/table\s+table 20 rows", done.stdout) is not None
    assert re.search(r"logged\s+digits-network:v\d+", done.stdout) is not None
    assert re.search(r"files\s+\d+, .*runstream files RUN", done.stdout) is not None
    assert "lost" not in done.stdout
    assert re.search(r"train/loss .*[▁▂▃▄▅▆▇█]{8,}", done.stdout) is not None
