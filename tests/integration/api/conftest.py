"""One API for all tests of this folder, and the runs that they read."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas.events import Role, Stream
from runstream_schemas.topics import RunPath
from tests.integration.api.recording import STARTED, Recording
from tests.integration.api.serving import ENTITY, Served, served_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres

#: The rows of the run ``digits``: more than a sample contains, with one spike that every chart must show.
ROWS = 2000
SPIKE = 1234


@pytest.fixture(scope="package")
def served(
    broker: str,
    postgres: Postgres,
    object_store: ObjectStore,
    reaper: Reaper,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Run an API over empty topics, an empty database and an empty bucket."""
    with served_anew(broker, postgres, object_store, reaper, tmp_path_factory.mktemp("api")) as served:
        yield served


def new_recording(
    run_id: str, *, role: Role = Role.PRIMARY, label: str = "", project: str = "digits", later_s: int = 0
) -> Recording:
    """Return a recording of a new writer of a run, which starts so many seconds later than others."""
    run = RunPath(entity=ENTITY, project=project, run_id=run_id)
    return Recording(run, uuid.uuid4().bytes, role, label, started=STARTED + later_s * 1_000_000)


def history_row(step: int) -> dict[str, Any]:
    """Return the row of a step."""
    row: dict[str, Any] = {"train": {"loss": 100.0 if step == SPIKE else math.exp(-step / 500)}, "epoch": step // 100}
    if step % 100 == 99:  # the last step of an epoch
        row["val/accuracy"] = step / ROWS
    return row


@pytest.fixture(scope="package")
def digits(served: Served) -> Recording:
    """Return a run that has ended, with history, system metrics and console lines."""
    trainer = new_recording("digits")
    config = {"lr": 0.1, "optimizer": {"name": "sgd", "momentum": 0.9}, "limit": math.inf}
    trainer.start(config, name="bright-river-1", tags=["baseline"], notes="A note.", group="g", job_type="train")
    for start in range(0, ROWS, 500):
        trainer.rows([history_row(step) for step in range(start, start + 500)], first_step=start)
    trainer.summary(best=0.97).exit()
    shipper = new_recording("digits", role=Role.SHIPPER)
    shipper.rows([{"cpu": {"percent": 10.0 + step}} for step in range(20)], stream=Stream.SYSTEM)
    lines = [{"stream": "stdout", "text": f"line {number}", "label": "", "host": "node-7"} for number in range(50)]
    shipper.rows(lines, first_step=20, stream=Stream.CONSOLE).exit()
    served.store(trainer, shipper)
    return trainer


@pytest.fixture(scope="package")
def ranks(served: Served) -> tuple[Recording, Recording]:
    """Return two ranks that log to one run and are still running; the second started a little later."""
    writers = new_recording("ranks", label="rank 0"), new_recording("ranks", label="rank 1")
    for number, writer in enumerate(writers):
        writer.start({"world_size": 2}, name="two-ranks").beat()
        writer.rows([{"loss": float(number), "only": "text"} for _ in range(10)])
    served.store(*writers)
    return writers
