"""The network and the data of the demo."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from runstream_deploy.demo import digits
from runstream_deploy.demo.cases import CASES, Case
from runstream_deploy.demo.network import Network
from runstream_deploy.demo.ranks import RankPair, Ranks
from runstream_deploy.demo.training import DivergedError, train

if TYPE_CHECKING:
    from pathlib import Path

    from runstream import Artifact, Run


class FakeRun:
    """A fake run that keeps rows, summary, and the names of what is saved."""

    def __init__(self, folder: Path) -> None:
        self.dir = str(folder)
        self.rows: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.kept: list[str] = []

    def save(self, path: Path, **_: Any) -> None:
        """Keep the name of a file."""
        self.kept.append(path.name)

    def log_artifact(self, artifact: Artifact, **_: Any) -> None:
        """Keep the name of an artifact."""
        self.kept.append(artifact.name)

    def log(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self.rows.append(row)

    def train(self, case: Case) -> None:
        """Train a case on a single rank."""
        train(case, cast("Run", self), 0, Ranks())


def test_gradient_is_correct() -> None:
    """It agrees with finite differences of the loss along random directions."""
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


def test_shards_cover_all_pictures() -> None:
    """Each picture is in the shard of one rank."""
    training, validation = digits.load()
    assert (len(training), len(validation)) == (1438, 359)
    assert sum(len(training.shard(rank, 2)) for rank in range(2)) == len(training)


def test_epoch_has_each_picture_at_most_once() -> None:
    """Batches are full and disjoint."""
    pictures = digits.Pictures(np.arange(70, dtype=np.float32).reshape(70, 1), np.arange(70))
    batches = list(pictures.batches(32, np.random.default_rng(0)))
    seen = [int(digit) for batch in batches for digit in batch.digits]
    assert [len(batch) for batch in batches] == [32, 32]
    assert len(set(seen)) == 64
    assert all((batch.pixels[:, 0] == batch.digits).all() for batch in batches)


def test_both_ranks_get_the_mean_gradient() -> None:
    """Each sends its own gradient and receives the same average, also when it is larger than a socket's buffer."""
    ends = socket.socketpair()
    gradients = [np.full(500_000, value, np.float32) for value in (1, 3)]

    def average(rank: int) -> float:
        pair = RankPair(rank, ends[rank].detach())
        try:
            return float(pair.average(gradients[rank]).sum())
        finally:
            pair.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(average, (0, 1))) == [1_000_000.0, 1_000_000.0]


def test_good_case_learns(tmp_path: Path) -> None:
    """It logs every step, validates after every epoch, reaches an accuracy above 0.9, and keeps its outcome."""
    case, run = CASES["good"], FakeRun(tmp_path)
    run.train(case)
    assert len(run.kept) == 2
    assert "guesses/table" in run.rows.pop()
    validated = [row for row in run.rows if "val/accuracy" in row]
    assert run.summary == {"steps": len(run.rows)}
    assert (len(run.rows), len(validated)) == (case.epochs * (1438 // case.batch), case.epochs)
    assert validated[-1]["val/accuracy"] > 0.9


def test_diverging_case_raises(tmp_path: Path) -> None:
    """It stops before its last epoch."""
    run = FakeRun(tmp_path)
    with pytest.raises(DivergedError, match="at a learning rate of"):
        run.train(CASES["diverging"])
    assert 0 < len(run.rows) < CASES["diverging"].epochs * (1438 // CASES["diverging"].batch)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_config_has_only_hyperparameters(case: Case) -> None:
    """Name, story and expected state of a case are not in its config."""
    config = case.config()
    assert {"epochs", "batch", "hidden", "rate", "seed"} <= config.keys()
    assert config.keys() & {"name", "story", "expected", "killed_at"} == set()
