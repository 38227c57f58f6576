"""Files, media and artifacts are recorded without a connection of the training process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import numpy as np, os, pathlib, sys, runstream
run = runstream.init(project="p", settings={"silent": True, "finish_timeout_s": 0.0})
opened, watched = [], {"socket.__new__", "socket.connect", "socket.getaddrinfo", "socket.sendto"}
sys.addaudithook(lambda event, _: opened.append(event) if event in watched else None)
pathlib.Path("data").mkdir()
pathlib.Path("data/model.bin").write_bytes(bytes(100_000))
for policy in ("live", "now", "end"):
    run.save("data/*", policy=policy)
table = runstream.Table(columns=["image"], data=[[runstream.Image(np.zeros((8, 8, 3), np.uint8))]])
run.log({"image": runstream.Image(np.zeros((512, 512, 3), np.uint8)), "table": table, "text": "x" * 300_000})
run.log({"chart": runstream.plot.line(runstream.Table(columns=["x", "y"], data=[[1, 2]]), "x", "y")})
artifact = runstream.Artifact("data", "dataset")
artifact.add_dir("data")
run.log_artifact(artifact)
run.log_model("data/model.bin", "model")
run.upsert_artifact("data", name="parts", type="dataset", distributed_id="one")
run.link_artifact(artifact, "collection")
run.log_code()
run.finish()
print(opened)
"""


def test_files_media_and_artifacts_open_no_socket(tmp_path: Path) -> None:
    """Only the shipper does, also in an online run; no server answers this one."""
    status, output, errors = finished(tmp_path, _PROGRAM, begin="", RUNSTREAM_URL="http://127.0.0.1:1")

    assert (status, output) == (0, "[]\n"), errors
