"""Whether beats are sent for a writer is decided once, for every shipper and sync; a goodbye follows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.json_files import read_json
from runstream.shipper.sync import State
from runstream_schemas.events import ExitState, Kind
from runstream_schemas.topics import Topic
from tests.integration.shipper.runs import delivered
from tests.integration.shipper.test_early_ends import begun, waiting
from tests.integration.shipper.test_endings import beating
from tests.integration.shipper.test_outages import logged
from tests.integration.shipper.test_sync import synced

if TYPE_CHECKING:
    from tests.integration.shipper.runs import RunDir


def test_exit_of_an_abandoned_run_reports_its_beats(run_dir: RunDir, broker: str, prefix: str) -> None:
    """If training process and shipper were killed, sync sends an exit with beats, a goodbye, and no beat."""
    with waiting() as trainer:
        writer = begun(run_dir, trainer.pid)
        shipper = run_dir.ship()
        beats = len(beating(run_dir, broker, prefix).heartbeats(Kind.BEAT))
        shipper.kill()
        shipper.wait()
        beats = len(delivered(broker, prefix, run_dir.run).heartbeats(Kind.BEAT))
        trainer.kill()
        trainer.wait()

        assert synced(run_dir).state is State.DELIVERED

    found = delivered(broker, prefix, run_dir.run)
    assert (found.exits()[writer].beats, found.exits()[writer].ending.state) == (True, ExitState.CRASHED)
    assert [event.kind for event in found.events if event.topic is Topic.HEARTBEAT] == [
        *[Kind.BEAT] * beats,
        Kind.GOODBYE,
    ]


def test_decision_to_beat_is_saved_before_the_first_beat(run_dir: RunDir, broker: str, prefix: str) -> None:
    """When a beat arrives, the decision is in the ledger, so that a kill cannot lose it."""
    with waiting() as trainer:
        writer = begun(run_dir, trainer.pid)
        shipper = run_dir.ship()
        beating(run_dir, broker, prefix)
        shipper.kill()
        shipper.wait()
    ledger = read_json(run_dir.path / "delivery.json") or {}
    (cluster,) = ledger["clusters"].values()
    assert cluster["writers"][writer.hex()]["beats"] is True


def test_exit_of_an_offline_run_reports_no_beats(run_dir: RunDir, broker: str, prefix: str) -> None:
    """A run recorded without a shipper has an exit with its state, and no beat."""
    writer = run_dir.add_writer(logged(5))

    synced(run_dir)

    found = delivered(broker, prefix, run_dir.run)
    assert (found.exits()[writer].beats, found.heartbeats(Kind.BEAT)) == (False, [])
    assert len(found.heartbeats(Kind.GOODBYE)) == 1


@pytest.mark.parametrize("exit_acked", [True, False])
@pytest.mark.parametrize("beats", [True, False])
def test_goodbye_follows_wherever_the_last_shipper_stopped(
    run_dir: RunDir,
    broker: str,
    prefix: str,
    exit_acked: bool,  # noqa: FBT001 (a parameter)
    beats: bool,  # noqa: FBT001 (a parameter)
) -> None:
    """After a shipper was killed around the exit, sync sends what is missing, as decided before."""
    writer = run_dir.add_writer(logged(5))
    account = {"acked": {"log": 5}, "resume": None, "beats": beats, "exit": exit_acked, "goodbye": False}
    cluster = {"entity": "team", "prefix": prefix, "partitions": 2, "writers": {writer.hex(): account}}
    ledger = {"version": 1, "complete": False, "console": 0, "clusters": {f"cluster-{prefix}": cluster}}
    (run_dir.path / "delivery.json").write_text(json.dumps(ledger))

    assert synced(run_dir).state is State.DELIVERED

    found = delivered(broker, prefix, run_dir.run)
    assert [exited.beats for exited in found.exits().values() if exited.writer.id == writer] == (
        [] if exit_acked else [beats]
    )
    (goodbye,) = found.heartbeats(Kind.GOODBYE)
    assert goodbye.ending is not None
    assert (goodbye.ending.state, goodbye.ending.counts[Topic.LOG]) == (ExitState.FINISHED, 5)
