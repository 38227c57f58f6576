"""The user who owns the client's end of a loopback connection, from the kernel's socket tables (docs/adr/0003)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

Address = tuple[str, int]

_ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Peers:
    """Recognizes peers whose socket belongs to one of ``users`` (numeric user ids)."""

    users: frozenset[int]
    tables: Path = Path("/proc/net")

    def is_trusted(self, client: Address, server: Address) -> bool:
        """Whether the connection from ``client`` to ``server`` is over loopback and owned by one of the users.

        False if the kernel does not list the connection (no procfs, another network namespace).
        """
        return _is_loopback(client[0]) and _is_loopback(server[0]) and self.owner(client, server) in self.users

    def owner(self, client: Address, server: Address) -> int | None:
        """Return the user id that owns the client's socket; None if the kernel lists no such connection."""
        for local, remote, uid in self._connections():
            if local == _plain(client) and remote == _plain(server):
                return uid
        return None

    def _connections(self) -> Iterator[tuple[Address, Address, int]]:
        for name in ("tcp", "tcp6"):
            try:
                text = (self.tables / name).read_text(encoding="ascii")
            except OSError:
                continue
            for line in text.splitlines()[1:]:
                fields = line.split()
                # A socket that its process has closed is listed with inode 0 as owned by root: it has no owner.
                if fields[3] == _ESTABLISHED and fields[9] != "0":
                    yield _address(fields[1]), _address(fields[2]), int(fields[7])


def trusted_users() -> frozenset[int]:
    """Return this process's user and root.

    Only root if this process's user is not mapped in its user namespace: the kernel reports all such users by one
    overflow id.
    """
    overflow = Path("/proc/sys/kernel/overflowuid")
    try:
        nobody = int(overflow.read_text(encoding="ascii"))
    except OSError:
        nobody = 65534
    return frozenset({0, os.getuid()} - {nobody})


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> Address:
    """Parse ``0100007F:1F90``: 32-bit words in the machine's byte order, then the port."""
    words, port = text.split(":")
    packed = b"".join(struct.pack("=I", int(words[start : start + 8], 16)) for start in range(0, len(words), 8))
    host: IPv4Address | IPv6Address = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)  # noqa: PLR2004
    return _plain((str(host), int(port, 16)))


def _plain(address: Address) -> Address:
    """Return the address with an IPv4-mapped IPv6 host as plain IPv4."""
    host = ip_address(address[0])
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    return str(mapped or host), address[1]
