"""Files, media, tables and artifacts that cannot be stored: the rest of the run is, and the losses are visible."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from runstream import Api, CommError
from tests.e2e.scripts import ended, trained
from tests.polling import eventually
from tests.trainers import command, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack
    from tests.trainers import Server

_PROGRAM = r"""
import json, os, resource, socket
from pathlib import Path
import numpy as np
errors = {}

def refused(name, call):
    try:
        call()
    except Exception as error:
        errors[name] = f"{type(error).__name__}: {error}"

os.mkfifo("pipe")
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind("socket")
Path("loop").symlink_to("loop")
Path("dangling").symlink_to("gone")
Path("device").symlink_to("/dev/zero")
Path("empty").touch()
Path("back\\slash").write_text("backslash")
Path("caf\u00e9").write_text("composed")
Path("cafe\u0301").write_text("decomposed")
os.makedirs("d/folder")
Path("d/good").write_text("good")
for name in ("pipe", "socket", "loop", "dangling", "device", "missing", "no\0ne", "x" * 4096):
    run.save(name, policy="now")
for name in ("empty", "back\\slash", "caf\u00e9", "cafe\u0301", "d/*"):
    run.save(name, policy="now")
refused("outside", lambda: run.save("../outside"))
# As on a full disk.
Path("large").write_bytes(bytes(3_000_000))
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
run.save("large", policy="now")
refused("no room", lambda: run.log_artifact("large", name="large"))
resource.setrlimit(resource.RLIMIT_FSIZE, before)

refused("shape", lambda: runstream.Image(np.zeros((2, 3, 4, 5))))
refused("no image", lambda: runstream.Image("d/good"))
refused("width", lambda: runstream.Table(columns=["a", "b"], data=[[1]]))
refused("type", lambda: runstream.Table(columns=["a"], data=[[1], ["x"]]))
artifact = runstream.Artifact("data", "dataset")
refused("missing", lambda: artifact.add_file("missing"))
refused("device", lambda: artifact.add_file("device"))
refused("name", lambda: runstream.Artifact("in valid", "dataset"))
refused("alias", lambda: run.log_artifact(artifact, aliases=["a:b"]))
artifact.add_file("d/good")
run.log_artifact(artifact).wait()
typed = runstream.Artifact("data", "model")
typed.add_file("empty")
refused("wrong type", lambda: run.log_artifact(typed).wait())
changed = runstream.Artifact("changed", "dataset")
changed.add_file("large", policy="immutable")
Path("large").write_bytes(bytes(2_999_999))
refused("changed", lambda: run.log_artifact(changed).wait())
run.log({"image": runstream.Image(np.zeros((4, 4, 3), np.uint8)), "last": 1})
Path("errors.json").write_text(json.dumps(errors))
run.finish()
"""

_REFUSED = {
    "outside": "ValueError: Invalid base_path=None for '../outside'",
    "no room": "File too large",
    "shape": "(2, 3, 4, 5)",
    "no image": "d/good",
    "width": "this table expects 2 columns",
    "type": "Row 1: column 'a' holds",
    "missing": "missing",
    "device": "device",
    "name": "in valid",
    "alias": "a:b",
    "wrong type": "dataset",
    "changed": "large was changed after it was added",
}
_LOST = {
    "pipe": "it is a pipe",
    "socket": "it is a socket",
    "loop": "Too many levels of symbolic links",
    "dangling": "No such file or directory",
    "device": "it is a device",
    "missing": "there is no such file",
    "large": "File too large",
}
_STORED = {
    "d/good": b"good",
    "empty": b"",
    "back\\slash": b"backslash",
    "caf\u00e9": b"composed",
    "cafe\u0301": b"decomposed",
}


def test_what_cannot_be_stored_is_visible_and_the_rest_is_stored(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Each error names its file; losses have their reason in the API and in ``show``."""
    run_id = new_id()
    assert trained(stack, tmp_path, run_id, _PROGRAM) == 0
    errors = json.loads((tmp_path / "errors.json").read_text())
    assert {name: errors.get(name, "") for name, text in _REFUSED.items() if text not in errors.get(name, "")} == {}
    ended(server, run_id)
    eventually(lambda: server.run(run_id, "/delivery")["arrived"])
    run = Api(overrides={"base_url": stack.url}, api_key=stack.token).run(f"{server.entity}/tests/{run_id}")
    eventually(lambda: {"uploading"}.isdisjoint(file.state for file in run.files()))

    assert run.summary["last"] == 1
    found = {file.name: file for file in run.files()}
    assert {name: found[name].reason for name in _LOST} == _LOST
    assert {name: found[name].state for name in _STORED} == dict.fromkeys(_STORED, "stored")
    for name, content in _STORED.items():
        with found[name].download(tmp_path / "got") as opened:
            assert opened.buffer.read() == content
    delivery = server.run(run_id, "/delivery")
    assert delivery["lost"] == len(_LOST) + 4  # a name with NUL, one of 4,096 bytes, and two artifacts
    shown = command("show", f"tests/{run_id}", environment={**stack.environment, "COLUMNS": "200"}, folder=tmp_path)
    assert {reason for reason in _LOST.values() if reason not in shown} == set()

    (stored,) = (stack.data_dir / "s3").rglob(hashlib.sha256(b"decomposed").hexdigest())
    stored.write_bytes(b"x" * 10)
    with pytest.raises(CommError, match="cafe\u0301"):
        found["cafe\u0301"].download(tmp_path / "corrupt")
    stored.write_bytes(b"decomposed")
