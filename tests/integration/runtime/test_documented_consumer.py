"""The examples of ``docs/consumers.md``, run as installed packages."""

from __future__ import annotations

import json
import re
import threading
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from runstream_schemas import events
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import fetch
from tests.integration.runtime.processes import consumer_process, environment_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runstream_schemas.topics import RunPath

PAGE = Path(__file__).parents[3] / "docs" / "consumers.md"
_FILE = re.compile(r"^```\w+\n(?:#|--) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def install(folder: Path) -> None:
    """Write the files of the page as installed packages with the entry points in their pyproject.toml."""
    for name, text in _FILE.findall(PAGE.read_text(encoding="utf-8")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for file in folder.rglob("pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        information = folder / f"{project['name'].replace('-', '_')}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
        points = project["entry-points"]["runstream.consumers"]
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (information / "entry_points.txt").write_text(f"[runstream.consumers]\n{lines}")


def documented_file(name: str, folder: Path) -> Path:
    """Write one file of the page to a folder, without the comment that names it; return its path."""
    (text,) = [text for found, text in _FILE.findall(PAGE.read_text(encoding="utf-8")) if found == name]
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


async def expect(database: str, rows: Sequence[tuple[str, float, int]]) -> None:
    """Wait until the table of the example has exactly these rows: run, loss, rows."""

    async def equal() -> bool:
        if (await fetch(database, "select to_regclass('best.best') as found"))[0]["found"] is None:
            return False
        found = [
            tuple(row) for row in await fetch(database, "select run_id, loss, rows from best.best order by run_id")
        ]
        assert found == sorted(rows)
        return True

    await eventually_async(equal)


async def test_the_documented_consumer_works_as_written(
    broker: str, prefix: str, database: str, tmp_path: Path
) -> None:
    """A package of the page's files is found by its entry point, migrates, counts rows once, and is rebuilt."""
    install(tmp_path)
    environment = environment_of(broker, prefix, database, PYTHONPATH=str(tmp_path))
    first, second = run_in(0), run_in(1)
    losses = [{"loss": value} for value in (0.9, float("nan"), 0.25, 0.5)]
    await publish(
        broker,
        prefix,
        [
            block(first, writer(1), 0, 4, rows=losses),
            block(first, writer(1), 2, 4, rows=[{"loss": 0.25}, {"loss": 0.5}, {"loss": 0.75}, {"other": 0.0}]),
            block(second, writer(2), 0, 1, rows=[{"loss": -1.0}]),
            block(second, writer(3), 0, 1, rows=[{"loss": -9.0}], stream=events.Stream.SYSTEM),
        ],
    )
    with consumer_process("best", environment, tmp_path / "best.log") as process:
        await expect(database, [(first.run_id, 0.25, 4), (second.run_id, -1.0, 1)])
        process.terminate()
        assert process.wait(timeout=120) == 0
    with consumer_process("best", environment, tmp_path / "best.log") as process:
        await publish(broker, prefix, [block(first, writer(1), 6, 1, rows=[{"loss": 0.125}])])
        await expect(database, [(first.run_id, 0.125, 5), (second.run_id, -1.0, 1)])
        process.terminate()
        assert process.wait(timeout=120) == 0
    await fetch(database, "update best.best set loss = -100, rows = 0")
    with consumer_process("best", environment, tmp_path / "best.log", "--rebuild", "--yes"):
        await expect(database, [(first.run_id, 0.125, 5), (second.run_id, -1.0, 1)])


async def test_the_documented_alert_rule_posts_crashes_once(
    broker: str, prefix: str, database: str, tmp_path: Path
) -> None:
    """The rule posts a message for each run that crashed after its first start, and none for a repeated event."""
    install(tmp_path)
    posted: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep the message."""
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    async def is_started() -> bool:
        if (await fetch(database, "select to_regclass('runtime.sink_offset') as found"))[0]["found"] is None:
            return False
        return bool(await fetch(database, "select 1 from runtime.sink_offset where sink = 'crashes'"))

    async def is_posted() -> bool:
        return len(posted) >= 2

    await publish(broker, prefix, [state(run_in(0), 0, events.RunState.CRASHED, "too early")])
    with serving(Hook) as url:
        environment = environment_of(broker, prefix, database, PYTHONPATH=str(tmp_path), RUNSTREAM_CRASHES_WEBHOOK=url)
        with consumer_process("crashes", environment, tmp_path / "crashes.log"):
            await eventually_async(is_started)
            crash = state(run_in(0), 2, events.RunState.CRASHED, "silent for 300 s")
            await publish(broker, prefix, [state(run_in(0), 1, events.RunState.RUNNING, "beats"), crash, crash])
            await publish(broker, prefix, [state(run_in(0), 3, events.RunState.FAILED, "exit code 1")])
            await eventually_async(is_posted)
    name = f"team/digits/{run_in(0).run_id}"
    assert posted == [f"{name} crashed: silent for 300 s", f"{name} failed: exit code 1"]


def state(run: RunPath, seq: int, to: events.RunState, reason: str) -> events.StateEvent:
    """Return a transition of a run."""
    header = events.Header(kind=events.Kind.DATA, run=run, writer=events.STATE_WRITER, time=1, seq=seq, reason=reason)
    return events.StateEvent(header=header, state=to)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve HTTP requests on a free port until the block ends; yield the URL."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(
    broker: str, prefix: str, database: str, tmp_path: Path
) -> None:
    """A misspelled name is an error with code 1 that lists the registered consumers."""
    log = tmp_path / "log"
    with consumer_process("hystory", environment_of(broker, prefix, database), log) as process:
        assert process.wait(timeout=120) == 1
    assert "No consumer is registered as 'hystory'; registered: " in log.read_text()
    assert "history" in log.read_text().split("registered:")[1]


def test_missing_settings_are_named(broker: str, prefix: str, database: str, tmp_path: Path) -> None:
    """Without the address of a database, the process exits with code 2 and names the setting."""
    environment = environment_of(broker, prefix, database)
    del environment["RUNSTREAM_POSTGRES"]
    with consumer_process("history", environment, tmp_path / "log") as process:
        assert process.wait(timeout=120) == 2
    shown = (tmp_path / "log").read_text()
    purpose = "(its database, postgresql://user:password@host:port/database)"
    assert shown == f"RUNSTREAM_POSTGRES is not set: set it in the environment {purpose}\n"
