"""The response to /connect, and the behavior of the API process when services are missing."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from runstream_deploy.processes.ports import choose_port
from tests.integration.api.serving import ENTITY, PARTITIONS, TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.api.serving import Served

_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def _process(**settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = choose_port()
    environment = {"RUNSTREAM_TOKEN": TOKEN, "RUNSTREAM_API_PORT": str(port), **settings}
    process = subprocess.Popen([sys.executable, "-m", "runstream_consumers.server"], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(url))
        yield process, url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_connect_has_everything_a_shipper_needs(served: Served) -> None:
    """One response has brokers, cluster, topics and limits."""
    answer = served.get("/api/v1/connect")
    assert (answer["api_version"], answer["brokers"], answer["prefix"]) == (1, served.broker, served.prefix)
    assert (answer["partitions"], answer["entity"], answer["url"]) == (PARTITIONS, ENTITY, served.url)
    assert len(answer["cluster_id"]) == 22
    assert answer["limits"]["key_length"] == 512


def test_connect_works_without_postgres(broker: str) -> None:
    """Without the database, /connect answers, reads return 503 with the reason, and the process continues."""
    with _process(RUNSTREAM_KAFKA=broker, RUNSTREAM_POSTGRES="postgresql://nobody@127.0.0.1:1/nothing") as (_, url):
        assert httpx.get(f"{url}/api/v1/connect", headers=_TOKEN, timeout=120).json()["brokers"] == broker
        answer = httpx.get(f"{url}/api/v1/runs", headers=_TOKEN, timeout=120)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unreachable")
        assert answer.headers["Retry-After"] == "2"
        assert httpx.get(f"{url}/readyz", timeout=120).status_code == 503


def test_connect_without_kafka_returns_503() -> None:
    """The error has the address of the broker, which is tried again with each request."""
    with _process(RUNSTREAM_KAFKA="127.0.0.1:1", RUNSTREAM_POSTGRES="postgresql://nobody@127.0.0.1:1/nothing") as (
        _,
        url,
    ):
        for _ in range(2):
            answer = httpx.get(f"{url}/api/v1/connect", headers=_TOKEN, timeout=120)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "kafka_unreachable")
            assert "127.0.0.1:1" in answer.json()["error"]["message"]


def test_reads_without_tables_return_503(broker: str, database: str) -> None:
    """As long as the consumers have not created their tables, the stack is not ready."""
    with _process(RUNSTREAM_KAFKA=broker, RUNSTREAM_POSTGRES=database) as (_, url):
        answer = httpx.get(f"{url}/api/v1/runs", headers=_TOKEN, timeout=120)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(broker: str, database: str, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the process with status 0, even while a client keeps a connection open."""
    with _process(RUNSTREAM_KAFKA=broker, RUNSTREAM_POSTGRES=database) as (process, url), httpx.Client() as client:
        assert client.get(f"{url}/healthz").status_code == 200
        process.send_signal(number)
        assert process.wait(120) == 0


def test_a_used_port_and_missing_settings_are_errors(broker: str, database: str) -> None:
    """A process that cannot serve prints the reason and exits with an error status."""
    with _process(RUNSTREAM_KAFKA=broker, RUNSTREAM_POSTGRES=database) as (_, url):
        settings = {
            "RUNSTREAM_KAFKA": broker,
            "RUNSTREAM_POSTGRES": database,
            "RUNSTREAM_API_PORT": url.rpartition(":")[2],
        }
        second = subprocess.run(
            [sys.executable, "-m", "runstream_consumers.server"],
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 3
        assert "address already in use" in second.stderr
    bare = subprocess.run(
        [sys.executable, "-m", "runstream_consumers.server"], env={}, capture_output=True, text=True, check=False
    )
    assert bare.returncode == 2
    assert "RUNSTREAM_KAFKA is not set" in bare.stderr
    assert "Traceback" not in bare.stderr
