"""Errors of the local stack.

StackError
├── MissingTool         Java, Maven or a server's wheel is not there, or too old
├── PortTaken           a port of the stack is held by another process
├── DataRefused         the data folder is of another version, in use, or on a full disk
└── ServiceFailed       a service ended or gave no answer in time
"""

from __future__ import annotations


class StackError(Exception):
    """The local stack cannot go on; the message says what to do about it."""


class MissingTool(StackError):  # noqa: N818 - reads as what happened
    """A program or package that the stack needs is missing or too old."""


class PortTaken(StackError):  # noqa: N818
    """A port that the stack was given is in use.

    Args:
        port: The port.
        service: Name of the service that wants it.
        holder: Who holds it, in words.
    """

    def __init__(self, port: int, service: str, holder: str) -> None:
        super().__init__(
            f"port {port}, which this data folder keeps for {service}, is in use by {holder}; "
            "stop that process, or delete stack.json's entry for it to have another port chosen"
        )
        self.port = port
        self.service = service


class DataRefused(StackError):  # noqa: N818
    """The data folder cannot be used as it is."""


class ServiceFailed(StackError):  # noqa: N818
    """A service ended, or did not answer in time.

    Args:
        service: Its name.
        problem: What happened.
        last_lines: The end of its log.
    """

    def __init__(self, service: str, problem: str, last_lines: str = "") -> None:
        super().__init__(f"{service} {problem}" + (f"; the end of its log:\n{last_lines}" if last_lines else ""))
        self.service = service
