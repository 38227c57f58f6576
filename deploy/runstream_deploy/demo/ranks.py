"""The ranks of a training, which average their gradients over an inherited socket."""

from __future__ import annotations

from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray


class Ranks:
    """The processes that train together, as seen by one of them: here a single one."""

    def average(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of all ranks' gradients; every rank must call it the same number of times."""
        return gradient

    def close(self) -> None:
        """Leave."""


class RankPair(Ranks):
    """Two ranks, 0 and 1, with a socket between them; ``descriptor`` is this rank's end."""

    def __init__(self, rank: int, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._sends_first = rank == 0

    def average(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of both ranks' gradients; raise EOFError if the other rank has exited."""
        # One sends first; otherwise both would wait for the other to read.
        if self._sends_first:
            self._connection.send_bytes(gradient.tobytes())
        other = np.frombuffer(self._connection.recv_bytes(), np.float32)
        if not self._sends_first:
            self._connection.send_bytes(gradient.tobytes())
        return ((gradient + other) / 2).astype(np.float32)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
