"""The demo's network and data: small, but right."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from runstream_deploy.demo import digits
from runstream_deploy.demo.cases import CASES, Case
from runstream_deploy.demo.network import Network
from runstream_deploy.demo.ranks import Alone, Pair
from runstream_deploy.demo.training import DivergedError, train


class Notebook:
    """Takes the part of a run: keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.summary: dict[str, Any] = {}

    def log(self, row: dict[str, float]) -> None:
        """Keep a row."""
        self.rows.append(row)


def test_the_gradient_is_that_of_the_loss() -> None:
    """It agrees with differences of the loss along random directions."""
    random = np.random.default_rng(7)
    network = Network([64, 16, 10], random)
    batch = digits.load()[0].shard(0, 20)
    _, gradient = network.gradient(batch)
    for _ in range(5):
        direction = random.normal(size=gradient.shape).astype(np.float32)
        direction /= np.linalg.norm(direction)
        ends = []
        for step in (1e-2, -1e-2):
            network.parameters += np.float32(step) * direction
            ends.append(network.evaluate(batch).loss)
            network.parameters -= np.float32(step) * direction
        assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(float(gradient @ direction), abs=2e-3)


def test_shards_share_out_all_pictures() -> None:
    """Together the ranks see each picture once."""
    training, validation = digits.load()
    assert (len(training), len(validation)) == (1438, 359)
    assert sum(len(training.shard(rank, 2)) for rank in range(2)) == len(training)


def test_a_shuffled_epoch_holds_each_picture_at_most_once() -> None:
    """Batches are full and their pictures differ."""
    pictures = digits.Pictures(np.arange(70, dtype=np.float32).reshape(70, 1), np.arange(70))
    batches = list(pictures.batches(32, np.random.default_rng(0)))
    seen = [int(digit) for batch in batches for digit in batch.digits]
    assert [len(batch) for batch in batches] == [32, 32]
    assert len(set(seen)) == 64
    assert all((batch.pixels[:, 0] == batch.digits).all() for batch in batches)


def test_both_ranks_get_the_mean() -> None:
    """Each sends its own gradient and receives the same average, also when it is larger than a socket's buffer."""
    ends = socket.socketpair()
    gradients = [np.full(500_000, value, np.float32) for value in (1, 3)]

    def meet(rank: int) -> float:
        pair = Pair(rank, ends[rank].detach())
        try:
            return float(pair.average(gradients[rank]).sum())
        finally:
            pair.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(meet, (0, 1))) == [1_000_000.0, 1_000_000.0]


def test_the_good_case_learns() -> None:
    """It logs every step, validates after every epoch, and ends right more than nine times out of ten."""
    case, run = CASES["good"], Notebook()
    train(case, run, 0, Alone())
    validated = [row for row in run.rows if "val/accuracy" in row]
    assert run.summary == {"steps": len(run.rows)}
    assert (len(run.rows), len(validated)) == (case.epochs * (1438 // case.batch), case.epochs)
    assert validated[-1]["val/accuracy"] > 0.9


def test_the_diverging_case_raises() -> None:
    """Its last row is one with a loss that still counted."""
    run = Notebook()
    with pytest.raises(DivergedError, match="at a learning rate of"):
        train(CASES["diverging"], run, 0, Alone())
    assert 0 < len(run.rows) < CASES["diverging"].epochs * (1438 // CASES["diverging"].batch)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_the_config_shows_the_hyperparameters_and_not_the_staging(case: Case) -> None:
    """What makes a case a case of the demo is not shown as if it were a hyperparameter."""
    config = case.config()
    assert {"epochs", "batch", "hidden", "rate", "seed"} <= config.keys()
    assert config.keys() & {"name", "story", "expected", "killed_at"} == set()
