"""The guardian keeps a shipper running; whatever is killed, every row arrives."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import ControlPage, Phase, Word
from runstream_schemas.events import ExitState
from runstream_schemas.topics import Topic
from tests.integration.shipper.runs import RunDir, delivered
from tests.integration.shipper.test_endings import start_trainer
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


def guard(run_dir: RunDir) -> subprocess.Popen[bytes]:
    """Start a guardian, as the training process does."""
    return run_dir.start("runstream.shipper.guardian", "guardian.log", start_new_session=True, cwd="/")


@pytest.fixture
def guardian(run_dir: RunDir) -> Iterator[subprocess.Popen[bytes]]:
    """Return a guardian of the test's run folder; it and its shipper are killed afterwards."""
    process = guard(run_dir)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def word(run_dir: RunDir, word: Word) -> int:
    """Return a word of the control page."""
    with ControlPage(run_dir.path / "control") as control:
        return control[word]


def shipper_of(run_dir: RunDir, *, other_than: int = 0) -> int:
    """Wait until a shipper is running, and return its pid."""

    def look() -> int:
        pid = word(run_dir, Word.SHIPPER_PID)
        return pid if pid != other_than else 0

    return eventually(look)


def test_killed_shipper_is_restarted(
    run_dir: RunDir, guardian: subprocess.Popen[bytes], broker: str, prefix: str
) -> None:
    """After a kill the guardian starts another shipper, which delivers the rest; at the end both exit."""
    trainer, writer = start_trainer(run_dir, "wait")
    first = shipper_of(run_dir)

    os.kill(first, signal.SIGKILL)
    second = shipper_of(run_dir, other_than=first)
    assert second != first
    trainer.kill()
    trainer.communicate()

    assert guardian.wait(120) == 0
    found = delivered(broker, prefix, run_dir.run)
    assert found.rows(writer) == [{"n": number} for number in range(100)]
    assert found.exits()[writer].ending.state is ExitState.CRASHED
    assert (word(run_dir, Word.PHASE), word(run_dir, Word.GUARDIAN_PID)) == (Phase.DELIVERED, 0)


def test_only_one_guardian_per_folder(run_dir: RunDir, guardian: subprocess.Popen[bytes]) -> None:
    """A second guardian of the same folder exits at once."""
    trainer, _ = start_trainer(run_dir, "wait")
    pid = eventually(lambda: word(run_dir, Word.GUARDIAN_PID))

    assert (guard(run_dir).wait(120), pid) == (0, guardian.pid)
    trainer.kill()
    trainer.communicate()


def test_guardian_ignores_hangup_and_interrupt(run_dir: RunDir, guardian: subprocess.Popen[bytes]) -> None:
    """Neither the end of the terminal nor Ctrl-C ends guardian or shipper."""
    trainer, _ = start_trainer(run_dir, "wait")
    shipper = shipper_of(run_dir)
    eventually(lambda: word(run_dir, Word.PHASE) == Phase.CONNECTED)

    for number in (signal.SIGHUP, signal.SIGINT):
        os.killpg(guardian.pid, number)
    trainer.kill()
    trainer.communicate()

    assert guardian.wait(120) == 0
    assert "another" not in (run_dir.path / "logs" / "guardian.log").read_text()
    assert (word(run_dir, Word.PHASE), shipper > 0) == (Phase.DELIVERED, True)


def test_stopped_guardian_stops_its_shipper(run_dir: RunDir, guardian: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the guardian ends both; the rest of the folder is delivered later."""
    trainer, _ = start_trainer(run_dir, "wait")
    shipper = shipper_of(run_dir)
    eventually(lambda: word(run_dir, Word.PHASE) == Phase.CONNECTED)

    guardian.terminate()

    assert guardian.wait(120) == 0
    eventually(lambda: not Path(f"/proc/{shipper}").exists())
    trainer.kill()
    trainer.communicate()


def test_randomly_killed_shippers_lose_and_repeat_nothing(
    run_dir: RunDir, guardian: subprocess.Popen[bytes], broker: str, prefix: str
) -> None:
    """While 100,000 rows and console lines are logged, shippers are killed repeatedly; all arrive once."""
    chance = random.Random(7)
    rows, lines, kills = 100_000, 2_000, 8
    arguments = [str(run_dir.path), "1000", "100", "0.05", "wait"]
    trainer = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.shipper.trainer", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert trainer.stdout is not None
    writer = bytes.fromhex(trainer.stdout.readline())
    killed: set[int] = set()
    written = 0
    next_kill = time.monotonic() + 0.5
    with (run_dir.path / "logs" / "console.log").open("a") as log:

        def done() -> bool:
            nonlocal written, next_kill
            for _ in range(50 if written < lines else 0):
                log.write(f"2026-11-21T04:00:00.000000Z stdout line {written}\n")
                written += 1
            log.flush()
            pid = word(run_dir, Word.SHIPPER_PID)
            if pid not in {0, *killed} and time.monotonic() > next_kill:
                next_kill = time.monotonic() + chance.uniform(0.3, 1.2)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            return len(killed) == kills and written == lines

        eventually(done, within=120, every=0.02)
    assert trainer.stdout.readline() == "done\n"
    trainer.kill()
    trainer.communicate()
    guardian.wait(120)

    assert guardian.returncode == 0
    found = delivered(broker, prefix, run_dir.run)
    assert found.rows(writer) == [{"n": number} for number in range(rows)]
    assert found.exits()[writer].ending.counts[Topic.LOG] == rows
    texts = [row["text"] for shipper in found.writers("shipper") for row in found.rows(shipper) if row is not None]
    # The writers of two shippers that were killed before delivering anything are delivered in any order.
    assert sorted(texts, key=lambda text: int(text.split()[1])) == [f"line {number}" for number in range(lines)]
    shippers = found.writers("shipper")
    exits = found.exits()
    assert [exits[shipper].ending.counts[Topic.LOG] for shipper in shippers] == [
        len(found.rows(shipper)) for shipper in shippers
    ]
