"""The user that owns the other end of a loopback connection."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from runstream_consumers.api.security.peers import Peers, trusted_users

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
_CLIENT, _SERVER = ("127.0.0.1", 40000), ("127.0.0.1", 8080)


def _line(*, local: str, remote: str, state: str = "01", uid: int = 1000, inode: int = 77) -> str:
    return (
        f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}  0 {inode} 1 0 20 4 30 10 -1\n"
    )


def _peers(folder: Path, *, tcp: str = "", tcp6: str = "") -> Peers:
    (folder / "tcp").write_text(_HEAD + tcp)
    (folder / "tcp6").write_text(_HEAD + tcp6)
    return Peers(frozenset({1000}), folder)


def test_a_socket_of_this_process_is_owned_by_its_user() -> None:
    """The kernel reports the user of this process as the owner of a connection that it made over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peers = Peers(frozenset({os.getuid()}))
        assert os.getuid() == peers.owner(client.getsockname(), server.getsockname())
        assert peers.is_trusted(client.getsockname(), server.getsockname())


def test_a_socket_of_another_user_is_not_trusted() -> None:
    """A server that trusts only another user does not trust a connection of this process."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peers = Peers(frozenset({os.getuid() + 1}))
        assert not peers.is_trusted(client.getsockname(), server.getsockname())


def test_a_socket_over_ipv6_is_owned_by_its_user() -> None:
    """Addresses of IPv6 loopback are found in the kernel's table."""
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        peers = Peers(frozenset({os.getuid()}))
        assert os.getuid() == peers.owner(client.getsockname()[:2], server.getsockname()[:2])


def test_an_ipv6_socket_with_an_ipv4_address_is_found(tmp_path: Path) -> None:
    """Java connects from an IPv6 socket with a mapped address, which the kernel lists as IPv6."""
    mapped = "0000000000000000FFFF00000100007F"
    peers = _peers(tmp_path, tcp6=_line(local=f"{mapped}:9C40", remote=f"{mapped}:1F90"))
    assert peers.owner(_CLIENT, _SERVER) == 1000


def test_the_socket_of_the_server_is_not_the_client(tmp_path: Path) -> None:
    """The owner is that of the line whose local address is the client's."""
    peers = _peers(tmp_path, tcp=_line(local="0100007F:1F90", remote="0100007F:9C40"))
    assert peers.owner(_CLIENT, _SERVER) is None


def test_a_socket_without_owner_does_not_belong_to_root(tmp_path: Path) -> None:
    """A socket closed by its process is listed as user 0 with inode 0, and has no owner."""
    orphan = _line(local="0100007F:9C40", remote="0100007F:1F90", uid=0, inode=0)
    assert _peers(tmp_path, tcp=orphan).owner(_CLIENT, _SERVER) is None


def test_a_closing_connection_is_not_trusted(tmp_path: Path) -> None:
    """Only an established connection has an owner that waits for the response."""
    closing = _line(local="0100007F:9C40", remote="0100007F:1F90", state="04")
    assert not _peers(tmp_path, tcp=closing).is_trusted(_CLIENT, _SERVER)


def test_a_peer_on_another_machine_is_not_trusted(tmp_path: Path) -> None:
    """An address other than loopback is not looked up."""
    peers = _peers(tmp_path, tcp=_line(local="0100007F:9C40", remote="0100007F:1F90"))
    assert not peers.is_trusted(("192.0.2.1", 40000), _SERVER)


def test_without_procfs_no_peer_is_trusted(tmp_path: Path) -> None:
    """If the kernel's tables are missing, there is no owner."""
    assert not Peers(frozenset({1000}), tmp_path / "missing").is_trusted(_CLIENT, _SERVER)


def test_this_user_and_root_are_trusted() -> None:
    """Users who can read the token file do not need the token."""
    assert frozenset({0, os.getuid()}) == trusted_users()
