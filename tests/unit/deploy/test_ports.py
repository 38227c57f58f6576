"""Loopback ports: choosing, checking, and finding the process that uses one."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from runstream_deploy.exceptions import PortTakenError
from runstream_deploy.processes.ports import choose_port, is_free, require_free
from runstream_deploy.services.jars import KAFKA_VERSION, POM


def test_chosen_port_is_free() -> None:
    """It differs from the given ones and is below the range of outgoing connections."""
    first = choose_port()
    second = choose_port({first})
    assert first != second
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert first < lowest
    assert is_free(first)


def test_error_names_the_process_that_uses_a_port() -> None:
    """The error names the service that needs the port and the process that uses it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"Port {port}, .* assigns to s3, is in use by process {os.getpid()} "):
            require_free(port, "s3")
    require_free(port, "s3")


def test_pom_has_the_version_that_status_shows() -> None:
    """Maven downloads the Kafka version that ``runstream status`` shows."""
    name = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = [
        dependency.findtext("m:version", namespaces=name)
        for dependency in ET.parse(POM).getroot().iterfind(".//m:dependency", name)
        if dependency.findtext("m:groupId", namespaces=name) == "org.apache.kafka"
    ]
    assert found == [KAFKA_VERSION]
