"""Writers that contribute to one artifact while a third of them is killed and started again."""

from __future__ import annotations

import hashlib
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.polling import eventually
from tests.trainers import Server, new_id, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

#: Where every third writer is killed, in turn.
_POINTS = (("recorded",), ("recorded", "alone"), ("begun",), ("stored",), ("stored", "alone"))


@dataclass(slots=True)
class Contributed:
    """The result: how many writers were killed, and what is wrong with the version."""

    killed: int = 0
    problems: list[str] = field(default_factory=list)


def contribute_with_kills(
    stack: Stack, folder: Path, *, writers: int, at_once: int = 4, within: float = 300
) -> Contributed:
    """Have processes contribute, ``at_once`` of them at a time; the last one finishes the artifact."""
    name, found = f"a{new_id()}", Contributed()

    def contribute(number: int, *, finish: bool = False) -> None:
        arguments = ["--id", f"{name}-{number}", "--artifact", name, "--number", number]
        arguments += ["--finish"] if finish else []
        place = folder / str(number)
        if number % 3 == 0:
            point, *alone = _POINTS[number // 3 % len(_POINTS)]
            more = ["--die", point, *(f"--{one}" for one in alone)]
            first = start("contribute", *arguments, *more, environment=stack.environment, folder=place)
            if (status := first.wait(within)) != -signal.SIGKILL:
                found.problems.append(f"writer {number}, to be killed, ended with {status}: {_output(place)}")
            found.killed += 1
        if status := start("contribute", *arguments, environment=stack.environment, folder=place).wait(within):
            found.problems.append(f"writer {number} ended with {status}: {_output(place)}")

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(contribute, range(writers - 1)))
    contribute(writers - 1, finish=True)
    server = Server(url=stack.url, token=stack.token, entity=stack.entity)
    _check(server, name, writers, stack.data_dir / "s3", found)
    return found


def _check(server: Server, name: str, writers: int, store: Path, found: Contributed) -> None:
    """Compare the only version with what the writers contributed, and the stored bytes."""
    place = f"{server.entity}/tests/{name}"
    versions = eventually(lambda: server.get(f"/artifact-versions/{place}")["artifacts"])
    if len(versions) != 1:
        found.problems.append(f"{len(versions)} versions")
    entries = server.get(f"/artifacts/{place}:v0/manifest")["entries"]
    expected = {f"{number}.bin": _digest(name, number) for number in range(writers)} | {"shared.bin": _digest(name, -1)}
    stored = {path: _stored_digest(entry, store) for path, entry in entries.items()}
    wrong = sorted(path for path in expected.keys() | stored.keys() if expected.get(path) != stored.get(path))
    found.problems += [f"{path}: {stored.get(path)} instead of {expected.get(path)}" for path in wrong]


def _digest(name: str, seed: int) -> str:
    return hashlib.sha256(f"{name} {seed}".encode() * 1000).hexdigest()


def _stored_digest(entry: dict[str, Any], store: Path) -> str:
    objects = [path for path in store.rglob(entry["sha256"]) if path.is_file()]
    return hashlib.sha256(objects[0].read_bytes()).hexdigest() if len(objects) == 1 else f"{len(objects)} objects"


def _output(folder: Path) -> str:
    return (folder / "output.txt").read_text()[-500:]
