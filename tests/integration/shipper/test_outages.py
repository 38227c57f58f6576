"""Brokers and servers that are down, suspended or moved: nothing is lost, and delivery resumes."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import ControlPage, Phase, Word
from runstream_schemas.events import ExitState, Kind
from tests.integration.shipper.runs import RunDir, Server, delivered, new_run, serving
from tests.own_broker import OwnBroker
from tests.polling import eventually
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[3]


def phase(run_dir: RunDir) -> int:
    """Return the delivery phase of a run folder."""
    with ControlPage(run_dir.path / "control") as control:
        return control[Word.PHASE]


def logged(rows: int) -> SpoolBuilder:
    """Return the spool of a finished writer."""
    spool = SpoolBuilder()
    for number in range(rows):
        spool.append({"n": number})
    spool.exit()
    return spool


def unused_address() -> str:
    """Return an address without a listener."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_stale_address_is_resolved_again(server: Server, tmp_path: Path, broker: str, prefix: str) -> None:
    """If the broker has moved, the shipper gets its new address from the server."""
    server.answer["brokers"] = unused_address()
    run_dir = new_run(tmp_path, server.environment)
    writer = run_dir.add_writer(logged(10))
    shipper = run_dir.ship()
    eventually(lambda: len(server.asked) > 3)

    server.answer["brokers"] = broker

    assert shipper.wait(120) == 0
    assert delivered(broker, prefix, run_dir.run).rows(writer) == [{"n": number} for number in range(10)]


def test_server_that_starts_later(broker: str, prefix: str, tmp_path: Path) -> None:
    """A run is delivered as soon as its server answers."""
    with serving(broker, prefix, tmp_path) as gone:
        environment = gone.environment
    run_dir = new_run(tmp_path, environment)
    writer = run_dir.add_writer(logged(10))
    shipper = run_dir.ship()
    eventually(lambda: "not delivering" in run_dir.log())
    eventually(lambda: phase(run_dir) == Phase.NEVER_CONNECTED)

    port = int(environment["RUNSTREAM_URL"].rpartition(":")[2])
    with serving(broker, prefix, tmp_path, port=port):
        status = shipper.wait(120)

    assert status == 0
    assert delivered(broker, prefix, run_dir.run).rows(writer) == [{"n": number} for number in range(10)]


def test_shipper_of_a_deleted_folder_exits(server: Server, tmp_path: Path) -> None:
    """A shipper whose run folder was deleted exits."""
    server.answer["brokers"] = unused_address()
    run_dir = new_run(tmp_path, server.environment)
    run_dir.add_writer(logged(10))
    shipper = run_dir.ship()
    eventually(lambda: "not delivering" in run_dir.log())

    shutil.rmtree(run_dir.path)

    assert shipper.wait(120) == 75


def test_last_answer_of_the_server_is_enough(server: Server, tmp_path: Path, broker: str, prefix: str) -> None:
    """If the API is down, its last answer is used: only the broker is needed."""
    first = new_run(tmp_path, server.environment)
    first.add_writer(logged(1))
    first.ship_to_end()
    down = {**server.environment, "RUNSTREAM_URL": server.environment["RUNSTREAM_URL"]}
    server.close()
    run_dir = new_run(tmp_path, down)
    writer = run_dir.add_writer(logged(10))

    status = run_dir.ship_to_end()

    assert status == 0, run_dir.log()
    assert delivered(broker, prefix, run_dir.run).rows(writer) == [{"n": number} for number in range(10)]


def test_a_refused_key_is_not_overridden_by_an_earlier_answer(
    server: Server, tmp_path: Path, broker: str, prefix: str
) -> None:
    """If the server refuses the key, nothing is sent, although its last answer names the brokers."""
    first = new_run(tmp_path, server.environment)
    first.add_writer(logged(1))
    first.ship_to_end()
    server.answer["status"] = 401
    run_dir = new_run(tmp_path, server.environment)
    run_dir.add_writer(logged(10))
    shipper = run_dir.ship()

    eventually(lambda: "not delivering" in run_dir.log())
    assert stopped(shipper) == 143
    assert delivered(broker, prefix, run_dir.run).events == []


def test_other_partitions_are_refused(server: Server, tmp_path: Path, broker: str, prefix: str) -> None:
    """If the number of partitions differs from the server's response, nothing is sent."""
    server.answer["partitions"] = 3
    run_dir = new_run(tmp_path, server.environment)
    run_dir.add_writer(logged(10))
    shipper = run_dir.ship()

    eventually(lambda: "has 2 partitions instead of 3" in run_dir.log())
    assert stopped(shipper) == 143
    assert delivered(broker, prefix, run_dir.run).events == []


def test_missing_topics_are_reported(server: Server, tmp_path: Path) -> None:
    """If the topics do not exist, the shipper logs that and retries, and does not create them."""
    server.answer["prefix"] = "absent"
    run_dir = new_run(tmp_path, server.environment)
    run_dir.add_writer(logged(10))
    shipper = run_dir.ship()

    eventually(lambda: "or has no topic absent.log" in run_dir.log())
    assert stopped(shipper) == 143


def stopped(shipper: subprocess.Popen[bytes]) -> int:
    """Stop a shipper and return its exit status."""
    shipper.terminate()
    return shipper.wait(120)


def freeze(broker: OwnBroker) -> None:
    """Suspend a broker."""
    broker.signal(signal.SIGSTOP)


def thaw(broker: OwnBroker) -> None:
    """Resume a suspended broker."""
    broker.signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("interrupt", "restore"), [(OwnBroker.kill, OwnBroker.start), (freeze, thaw)], ids=["killed", "frozen"]
)
def test_broker_outage(
    tmp_path: Path,
    own_broker: OwnBroker,
    interrupt: Callable[[OwnBroker], None],
    restore: Callable[[OwnBroker], None],
) -> None:
    """Rows logged during a broker outage arrive afterwards, in order and once; the trainer is not affected."""
    with serving(own_broker.kafka.address, "own", tmp_path) as server:
        run_dir = new_run(tmp_path, server.environment)
        trainer = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.integration.shipper.trainer",
                str(run_dir.path),
                "100",
                "200",
                "0.05",
                "finish",
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert trainer.stdout is not None
        writer = bytes.fromhex(trainer.stdout.readline())
        shipper = run_dir.ship()
        eventually(lambda: phase(run_dir) == Phase.CONNECTED)

        interrupt(own_broker)
        eventually(lambda: phase(run_dir) == Phase.BROKER_UNREACHABLE)
        trainer.communicate()
        assert trainer.returncode == 0
        assert shipper.poll() is None
        restore(own_broker)
        eventually(lambda: phase(run_dir) in {Phase.CONNECTED, Phase.DELIVERED}, within=120)
        assert shipper.wait(120) == 0

        found = delivered(own_broker.kafka.address, "own", run_dir.run)
        assert found.rows(writer) == [{"n": number} for number in range(20_000)]
        assert found.exits()[writer].ending.state is ExitState.FINISHED
        assert len(found.heartbeats(Kind.GOODBYE)) >= 1
