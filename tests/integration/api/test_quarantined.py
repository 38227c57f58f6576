"""Messages that a consumer has quarantined, wherever their run is read."""

from __future__ import annotations

import html
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from runstream_schemas import codec
from runstream_schemas.topics import partition_of, topic_name
from tests.conftest import run_aside
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import PARTITIONS, TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from runstream_schemas.events import Event
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

REASON = "belongs in partition"


@pytest.fixture(scope="module")
def partial(served: Served) -> Recording:
    """Return a run that has ended, one of whose messages was appended to the wrong partition."""
    run = new_recording("partial", project="quarantined").start({}).rows([{"a": 1}]).rows([{"a": 2}], first_step=1)
    stray = run.sent.pop()
    run.exit()
    run_aside(append(served, stray, 1 - partition_of(run.run, PARTITIONS)))
    served.publish(run)
    eventually(lambda: served.run(run, "/delivery")["quarantined"])
    eventually(lambda: served.run(run, "/delivery")["writers"][0]["topics"]["log"]["missing"])
    return run


async def append(served: Served, event: Event, partition: int) -> None:
    """Append an event to a partition."""
    producer = AIOKafkaProducer(bootstrap_servers=served.broker)
    await producer.start()
    try:
        await producer.send_and_wait(topic_name(served.prefix, event.topic), codec.encode(event), partition=partition)
    finally:
        await producer.stop()


def test_delivery_has_the_reasons(served: Served, partial: Recording) -> None:
    """A missing record is explained by the message in quarantine: consumer, topic, reason and number."""
    delivery = served.run(partial, "/delivery")

    (found,) = [item for item in delivery["quarantined"] if item["consumer"] == "history"]
    assert (found["topic"], found["messages"]) == ("log", 1)
    assert REASON in found["reason"]
    assert delivery["writers"][0]["topics"]["log"]["missing"] == [[1, 2]]
    assert not delivery["complete"]


def test_page_and_command_line_show_the_reasons(served: Served, partial: Recording) -> None:
    """The run's page and ``show`` name the consumer and the reason."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    page = httpx.get(f"{served.url}/ada/quarantined/runs/{partial.run.run_id}", headers=headers).text
    environ = {**os.environ, "RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN, "COLUMNS": "300", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "runstream.cli.main", "show", str(partial.run)]
    shown = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    assert "1 message of log in the quarantine of history:" in html.unescape(page)
    assert "1 message of log for history:" in shown
    assert REASON in page
    assert REASON in shown
