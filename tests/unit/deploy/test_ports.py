"""Loopback ports: chosen, checked, and named by their holder."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from runstream_deploy.exceptions import PortTaken
from runstream_deploy.processes.ports import choose_port, is_free, require_free
from runstream_deploy.services.jars import KAFKA_VERSION, POM


def test_a_chosen_port_is_free_and_not_one_of_those_taken() -> None:
    """It lies below the range of outgoing connections, which would take it sooner or later."""
    first = choose_port()
    second = choose_port({first})
    assert first != second
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert first < lowest
    assert is_free(first)


def test_a_taken_port_is_named_with_its_holder() -> None:
    """The error says which service wants the port and which process has it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}, .* keeps for s3, is in use by process {os.getpid()} "):
            require_free(port, "s3")
    require_free(port, "s3")


def test_the_list_of_jars_names_the_version_that_is_shown() -> None:
    """What Maven fetches and what ``runstream status`` shows are the same Kafka."""
    name = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = [
        dependency.findtext("m:version", namespaces=name)
        for dependency in ET.parse(POM).getroot().iterfind(".//m:dependency", name)
        if dependency.findtext("m:groupId", namespaces=name) == "org.apache.kafka"
    ]
    assert found == [KAFKA_VERSION]
