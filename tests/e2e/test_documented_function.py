"""The consumer of one file in ``docs/consumers.md``, run as written there against the real stack."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runstream_deploy.services.lag import read_consumption
from runstream_schemas.topics import Topic, topic_name
from tests.integration.runtime.ledger import fetch
from tests.integration.runtime.test_documented_consumer import documented_file
from tests.polling import eventually
from tests.trainers import new_id
from tests.unit.producer.programs import finished
from tests.webhooks import receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running_stack import Stack

PROGRAM = """
import runstream, sys
with runstream.init(project="tests", id=sys.argv[1], settings={"silent": True}) as run:
    for loss in (0.5, "unknown", float("nan"), 0.25, float("nan")):
        run.log({"loss": loss, "other": float("nan")})
"""


def _command(file: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "runstream_deploy", "consume", str(file), *options]


@contextmanager
def _consuming(file: Path, environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the consumer until the block ends."""
    with (file.parent / "log").open("ab") as log:
        process = subprocess.Popen(_command(file, *options), env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _train(stack: Stack, folder: Path) -> str:
    """Track a run with NaN losses, and return the text that the consumer is expected to post."""
    run_id = new_id()
    begin = f"import sys; sys.argv = ['', {run_id!r}]\n"
    status, _, errors = finished(folder, PROGRAM, begin=begin, **stack.environment)
    assert status == 0, errors
    return f"{stack.entity}/tests/{run_id}: loss is NaN at step 2"


def test_the_documented_function_posts_each_alert_once(stack: Stack, tmp_path: Path) -> None:
    """A dry run posts nothing; each run's alert is posted once, although the process is killed and rebuilt."""
    file = documented_file("nan_alert.py", tmp_path)
    assert len(file.read_text().splitlines()) <= 15
    services = stack.state().environment
    dsn, kafka = services["RUNSTREAM_POSTGRES"], services["RUNSTREAM_KAFKA"]
    first = _train(stack, tmp_path)
    with receiving() as hook:
        environment = {**stack.environment, "NAN_ALERT_WEBHOOK": hook.url, "RUNSTREAM_INSTANCE": "test"}
        dry = subprocess.run(_command(file, "--dry-run"), env=environment, capture_output=True, text=True, check=True)
        path = first.partition(":")[0]
        assert f'would send nan of {path}: {{"text":"{first}"}}' in dry.stdout.splitlines()
        assert (hook.accepted, hook.refused) == ([], [])

        hook.status = 503
        with _consuming(file, environment) as process:
            query = "select 1 from runtime.outbox where sink = 'nan_alert' and run = $1 and error <> ''"
            eventually(lambda: asyncio.run(fetch(dsn, query, path)), within=90)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert hook.texts() == []

        hook.status = 204
        with _consuming(file, environment):
            second = _train(stack, tmp_path)
            eventually(lambda: hook.texts(first) and hook.texts(second), within=90)
            # Else a message that was received and is not noted as sent yet would be sent again.
            unsent = "select 1 from runtime.outbox where sink = $1 and sent is null"
            eventually(lambda: not asyncio.run(fetch(dsn, unsent, "nan_alert")), within=60)

        command, closed = _command(file, "--rebuild"), subprocess.DEVNULL
        redo = subprocess.run(command, env=environment, stdin=closed, capture_output=True, text=True, check=False)
        assert (redo.returncode, "add --yes to confirm" in redo.stderr) == (1, True)
        with _consuming(file, environment, "--rebuild", "--yes"):
            third = _train(stack, tmp_path)
            eventually(lambda: hook.texts(third), within=90)
            topics = [topic_name(services["RUNSTREAM_PREFIX"], topic) for topic in Topic]
            eventually(lambda: asyncio.run(read_consumption(kafka, dsn, topics))["nan_alert"].lag == 0, within=60)
    assert [hook.texts(text) for text in (first, second, third)] == [[first], [second], [third]]
    assert len(set(hook.keys)) == len({message["text"] for message in hook.accepted + hook.refused})
