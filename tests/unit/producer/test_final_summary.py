"""The summary that is printed at the end of a run is that of what is in the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path


def test_values_that_the_disk_dropped_are_not_shown(tmp_path: Path) -> None:
    """Rows and assignments that the disk has no room for are neither in ``run.summary`` nor printed at the end."""
    source = """
import resource, signal, runstream
run = runstream.init(project="p", mode="offline", settings={"console": "off"})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
for number in range(3000):
    run.log({"loss": number, "text": "x" * 100})
run.summary["best"] = 5
run.summary["large"] = [1.5] * 600_000
print(run.summary["loss"], "best" in run.summary)
run.finish()
"""
    status, output, errors = finished(tmp_path, source, begin="")

    assert status == 0, errors
    loss, best = output.split()
    assert (int(loss) < 2999, best) == (True, "False")
    assert f"loss {loss}" in " ".join(errors.split())
    assert "best" not in errors
