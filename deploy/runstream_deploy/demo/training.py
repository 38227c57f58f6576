"""One rank of one case: ``python -m runstream_deploy.demo.training NAME RUN_ID [RANK DESCRIPTOR]``."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # ships no types

import runstream
from runstream_deploy.demo import digits
from runstream_deploy.demo.cases import CASES, Case
from runstream_deploy.demo.network import Network
from runstream_deploy.demo.outcome import log_outcome
from runstream_deploy.demo.ranks import RankPair, Ranks

PROJECT = "digits"
#: A random guess has a loss of 2.3.
HIGHEST_LOSS = 10.0


class DivergedError(ArithmeticError):
    """The loss has diverged."""


def main(name: str, run_id: str, rank: int = 0, descriptor: int = -1) -> None:
    """Train a case and track it."""
    case = CASES[name]
    ranks = Ranks() if case.ranks == 1 else RankPair(rank, descriptor)
    settings = {} if case.ranks == 1 else {"x_label": f"rank {rank}", "x_primary": rank == 0}
    with runstream.init(
        project=PROJECT,
        id=run_id,
        name=f"{name}-{run_id[-4:]}",
        tags=["demo", name],
        notes=case.story,
        config=case.config(),
        mode="online" if case.ranks == 1 else "shared",
        settings=settings,
    ) as run:
        run.define_metric("val/accuracy", summary="max")
        run.define_metric("val/loss", summary="min")
        try:
            train(case, run, rank, ranks)
        finally:
            ranks.close()


def train(case: Case, run: runstream.Run, rank: int, ranks: Ranks) -> None:
    """Train, log every step, and validate after every epoch; raise DivergedError if the loss has diverged."""
    # Several processes share few cores and the matrices are small: one thread each is fastest.
    threadpool_limits(1)
    training, validation = digits.load()
    training = training.shard(rank, case.ranks)
    network = Network([64, *case.hidden, 10], np.random.default_rng(case.seed))
    shuffling = np.random.default_rng([case.seed, rank])
    steps_of_epoch = len(training) // case.batch
    killed_at = None if case.killed_at is None else int(case.epochs * steps_of_epoch * case.killed_at)
    step, rate = 0, case.rate
    for epoch in range(1, case.epochs + 1):
        for batch in training.batches(case.batch, shuffling):
            if step == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            row = one_step(case, network, batch, rate, ranks)
            step, rate = step + 1, rate * case.rate_growth
            if step % steps_of_epoch == 0:
                row |= {"epoch": epoch} | (validate(network, validation) if rank == 0 else {})
            run.log(row)
        # For the console of the run.
        print(f"epoch {epoch:2}: loss {row['train/loss']:.4f}", flush=True)  # noqa: T201
    run.summary["steps"] = step
    if case.keeps_outcome:
        log_outcome(run, network, validation)


def validate(network: Network, pictures: digits.Pictures) -> dict[str, float]:
    """Return loss and accuracy on pictures that were not used for training."""
    found = network.evaluate(pictures)
    return {"val/loss": found.loss, "val/accuracy": found.accuracy}


def one_step(case: Case, network: Network, batch: digits.Pictures, rate: float, ranks: Ranks) -> dict[str, float]:
    """Train on one batch; return the values to log, or raise DivergedError if the loss has diverged."""
    began = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore"):
        result, gradient = network.gradient(batch)
        gradient = ranks.average(gradient)
        norm = float(np.linalg.norm(gradient))
        network.step(gradient, rate, case.momentum)
    if not result.loss < HIGHEST_LOSS:  # true for NaN as well
        raise DivergedError(f"the loss is {result.loss} at a learning rate of {rate:.3g}")
    return {
        "train/loss": result.loss,
        "train/accuracy": result.accuracy,
        "gradient/norm": norm,
        "rate": rate,
        "pictures_per_second": len(batch) / (time.perf_counter() - began),
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
