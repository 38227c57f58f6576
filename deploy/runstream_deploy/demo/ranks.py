"""Ranks of one training: they average their gradients over a socket that they inherit."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Ranks(Protocol):
    """The processes that train together, as one of them sees it."""

    def average(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of all ranks' gradients; every rank must call it the same number of times."""

    def close(self) -> None:
        """Leave."""


class Alone:
    """A single rank."""

    def average(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the gradient."""
        return gradient

    def close(self) -> None:
        """Do nothing."""


class Pair:
    """Two ranks with a socket between them.

    Args:
        rank: 0 or 1.
        descriptor: This rank's end of the socket.
    """

    def __init__(self, rank: int, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._speaks_first = rank == 0

    def average(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of both ranks' gradients; raises EOFError where the other rank has gone."""
        # One speaks first, or both would wait for the other to read.
        if self._speaks_first:
            self._connection.send_bytes(gradient.tobytes())
        other = np.frombuffer(self._connection.recv_bytes(), np.float32)
        if not self._speaks_first:
            self._connection.send_bytes(gradient.tobytes())
        return ((gradient + other) / 2).astype(np.float32)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
