"""The raw events of the topics, printed by ``runstream tail``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer

from runstream_schemas.topics import Topic, partition_of, topic_name
from tests.conftest import run_aside
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import PARTITIONS, TOKEN

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def _start(served: Served, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN}
    return subprocess.Popen(
        [sys.executable, "-m", "runstream", "tail", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _tail(served: Served, *arguments: str) -> list[dict[str, Any]]:
    with _start(served, *arguments) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture(scope="module")
def tailed(served: Served) -> Recording:
    """Store a run whose partition also has a message that is no event."""
    writer = new_recording("tailed", project="tail").start({"lr": 0.1}, name="n").rows([{"a": {"b": 1}}, {"a": None}])
    served.store(writer.exit())
    run_aside(_send(served, writer, b"not an event"))
    return writer


async def _send(served: Served, writer: Recording, message: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=served.broker) as producer:
        topic = topic_name(served.prefix, Topic.ALERT)
        place = partition_of(writer.run, PARTITIONS)
        await producer.send_and_wait(topic, message, key=str(writer.run).encode(), partition=place)


def test_the_events_of_a_run_are_decoded(served: Served, tailed: Recording) -> None:
    """Each line has the place of the message and the event; rows are nested as they were logged."""
    (line,) = _tail(served, "--run", "tailed", "--topic", "log")
    assert (line["topic"], line["partition"]) == (f"{served.prefix}.log", partition_of(tailed.run, PARTITIONS))
    event = line["event"]
    assert (event["run"], event["writer"]["id"], event["kind"]) == (str(tailed.run), tailed.id.hex(), "data")
    assert [(row["step"], row["values"]) for row in event["rows"]] == [(0, {"a": {"b": 1}}), (1, {"a": None})]
    topics = {line["topic"].rpartition(".")[2] for line in _tail(served, "--run", str(tailed.run))}
    assert topics >= {"log", "config", "exit", "heartbeat", "alert"}
    (config,) = _tail(served, "--run", "tailed", "--topic", f"{served.prefix}.config")
    entries = config["event"]["records"][0]["entries"]
    assert {"op": "set", "scope": "config", "path": ["lr"], "value": 0.1} in entries


def test_a_message_that_is_no_event_has_a_problem(served: Served, tailed: Recording) -> None:
    """It is printed with its first bytes, and later messages are printed too."""
    (line,) = _tail(served, "--run", str(tailed.run), "--topic", "alert")
    assert line["problem"]
    assert bytes.fromhex(line["bytes"]) == b"not an event"


@pytest.mark.usefixtures("tailed")
def test_the_part_that_is_read_can_be_chosen(served: Served) -> None:
    """From a time on, up to a number of events; from now on there is nothing yet."""
    assert len(_tail(served, "--limit", "2")) == 2
    assert len(_tail(served, "--topic", "log", "--from", "1h", "--limit", "1")) == 1
    assert _tail(served, "--from", "now") == []


def test_following_prints_new_events_until_ctrl_c(served: Served, tailed: Recording) -> None:
    """A new event is printed at once, and an interruption is not an error."""
    arguments = ["--follow", "--from", "start", "--topic", "summary", "--run", str(tailed.run)]
    with _start(served, *arguments) as process:
        served.publish(new_recording("tailed", project="tail").summary(best=1))
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"]["records"][0]["entries"][0]["value"] == 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")


def test_an_unknown_topic_is_an_error(served: Served) -> None:
    """The message lists the topics."""
    with _start(served, "--topic", "logs") as process:
        _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "'logs'" in errors
    assert "log, config, summary" in errors
