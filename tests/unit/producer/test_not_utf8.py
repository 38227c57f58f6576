"""Names of files and runs that are not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from runstream.spool.format import TopicCode
from tests.unit.producer.programs import environment, finished
from tests.unit.producer.spooled import of_topic, primary

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_whose_name_is_not_utf_8_is_no_obstacle(tmp_path: Path) -> None:
    """Bytes of the script's path that are not UTF-8 are recorded as escapes, and the run is recorded in the folder."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    script = folder / "train.py"
    script.write_text('import runstream\nrunstream.init(project="p", mode="offline")\nrunstream.log({"a": 1})\n')

    done = subprocess.run(
        [sys.executable, script], cwd=folder, env=environment(tmp_path), capture_output=True, check=False, timeout=60
    )

    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    (first, *_) = of_topic(primary(folder), TopicCode.CONFIG)
    assert [value for *_, path, value in first if path == ["program"]] == [f"{tmp_path}/caf\\udce9/train.py"]


def test_an_id_with_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    """It cannot be a part of a path, and the error names it."""
    source = """
try:
    runstream.init(id="a\\udcff", mode="offline")
except runstream.UsageError as error:
    print(error)
"""
    _, output, _ = finished(tmp_path, source, begin="import runstream\n")

    assert output.startswith("Invalid run id 'a\\udcff': remove '\\udcff'")
