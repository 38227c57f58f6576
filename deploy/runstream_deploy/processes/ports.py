"""Loopback ports: choose them, check that they are free, and find the process that uses one."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from pathlib import Path

import psutil

from runstream_deploy.exceptions import PortTakenError

LOOPBACK = "127.0.0.1"
_LOWEST = 15000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def choose_port(taken: Collection[int] = ()) -> int:
    """Return a free port below the range of outgoing connections, so that it stays free while the stack is down."""
    highest = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32768
    for candidate in random.sample(range(_LOWEST, max(highest, _LOWEST + 5000)), 2000):
        if candidate not in taken and is_free(candidate):
            return candidate
    raise OSError(f"No free port between {_LOWEST} and {highest}")


def is_free(port: int) -> bool:
    """Return whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int, service: str) -> None:
    """Raise PortTakenError, which names the process that uses the port, unless the port is free."""
    if not is_free(port):
        raise PortTakenError(port, service, holder_of(port))


def holder_of(port: int) -> str:
    """Describe the process that listens on a port; a process of another user may be hidden."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
        if listens and connection.pid:
            try:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} ({' '.join(process.cmdline())[:120] or process.name()})"
            except psutil.Error:
                return f"process {connection.pid}"
    return "a process of another user"
