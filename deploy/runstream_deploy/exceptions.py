"""Errors of the local stack.

StackError
├── MissingToolError    Java, Maven or a server's wheel is missing or too old
├── PortTakenError      a port of the stack is in use by another process
├── DataFolderError     the data folder is in use, full, damaged or of another version
└── ServiceError        a service exited or did not answer in time
"""

from __future__ import annotations


class StackError(Exception):
    """The local stack cannot continue; the message states what to do."""


class MissingToolError(StackError):
    """A program or package that the stack needs is missing or too old."""


class PortTakenError(StackError):
    """A port that is assigned to the stack is in use by another process, the holder."""

    def __init__(self, port: int, service: str, holder: str) -> None:
        super().__init__(
            f"Port {port}, which this data folder assigns to {service}, is in use by {holder}: "
            "stop that process, or delete the port from stack.json to have another one chosen"
        )


class DataFolderError(StackError):
    """The data folder cannot be used."""


class ServiceError(StackError):
    """A service exited, or did not answer in time; the message may have the last lines of its log."""

    def __init__(self, service: str, problem: str, last_lines: str = "") -> None:
        super().__init__(f"{service} {problem}" + (f"; last lines of its log:\n{last_lines}" if last_lines else ""))
