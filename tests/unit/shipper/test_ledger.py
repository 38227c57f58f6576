"""The ledger of what is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.delivered import Delivered, read_delivered
from runstream.run_folder.json_files import write_json
from runstream.shipper.ledger.ledger import Ledger, PartitionMismatchError, WriterAccount
from runstream.spool.format import TopicCode
from runstream.spool.reader import Position
from runstream_schemas.losses import Loss

if TYPE_CHECKING:
    from pathlib import Path

WRITER = bytes(range(16))


def test_ledger_reads_back(tmp_path: Path) -> None:
    """All accounts are loaded as they were saved."""
    watched = {"a.log": {"writer": WRITER.hex(), "policy": "live", "source": "/a.log", "sent": [3, 5]}}
    ledger = Ledger(tmp_path / "delivery.json", console=12, watched=watched, written={"a", "b"}, complete=True)
    account = ledger.account("cluster", entity="team", prefix="p", partitions=8)
    account.writers[WRITER] = WriterAccount(
        acked={TopicCode.LOG: 7, TopicCode.CONFIG: 1},
        lost={TopicCode.LOG: (Loss("the disk was full", 2, ((4, 6),)),)},
        resume=Position(3, 640),
        exit_acked=True,
    )

    write_json(ledger.path, ledger.to_json())

    assert Ledger.load(tmp_path / "delivery.json") == ledger


def test_lost_records_are_counted_once(tmp_path: Path) -> None:
    """Markers that are sent again add only their new records; the totals include all writers."""
    ledger = Ledger(tmp_path / "delivery.json")
    writers = ledger.account("cluster", entity="team", prefix="p", partitions=8).writers
    writers[WRITER], writers[bytes(16)] = WriterAccount(exit_acked=True), WriterAccount()
    for stop, reason in ((4, ""), (6, "damaged"), (6, "damaged"), (8, "damaged"), (9, "")):
        writers[WRITER].acknowledge(TopicCode.LOG, stop, reason)
    writers[bytes(16)].acknowledge(TopicCode.CONFIG, 1, "damaged")
    write_json(ledger.path, ledger.to_json())

    assert writers[WRITER].lost == {TopicCode.LOG: (Loss("damaged", 4, ((4, 8),)),)}
    assert read_delivered(ledger.path) == Delivered(6, 5, "4 rows (damaged), 1 config change (damaged)")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"clusters": {"c": {"writers": 3}}}', '{"clusters": {}}'])
def test_damaged_ledger_has_no_totals(tmp_path: Path, text: str | None) -> None:
    """Without a readable ledger, nothing is known to be delivered or lost."""
    path = tmp_path / "delivery.json"
    if text is not None:
        path.write_text(text)

    assert read_delivered(path) == Delivered()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"clusters": {"c": 1}}', '{"clusters": {"c": {"writers": {"zz": {}}}}}']
)
def test_damaged_ledger_is_empty(tmp_path: Path, text: str) -> None:
    """If the file is damaged, everything is sent again, which consumers trim."""
    path = tmp_path / "delivery.json"
    path.write_text(text)

    assert Ledger.load(path) == Ledger(path)


def test_other_partitions_are_refused(tmp_path: Path) -> None:
    """A cluster whose number of partitions has changed is refused."""
    ledger = Ledger(tmp_path / "delivery.json")
    ledger.account("cluster", entity="team", prefix="p", partitions=8)

    with pytest.raises(PartitionMismatchError, match="8 partitions; now they have 9"):
        ledger.account("cluster", entity="team", prefix="p", partitions=9)


def test_entity_is_fixed_at_the_first_delivery(tmp_path: Path) -> None:
    """The entity that the server first named is kept for the run and cluster."""
    ledger = Ledger(tmp_path / "delivery.json")
    ledger.account("cluster", entity="first", prefix="p", partitions=8)

    account = ledger.account("cluster", entity="second", prefix="p", partitions=8)

    assert account.entity == "first"


def test_floor_is_what_any_cluster_has(tmp_path: Path) -> None:
    """Records delivered to any cluster are counted, even if their segments are deleted."""
    ledger = Ledger(tmp_path / "delivery.json")
    for cluster, acked in (("a", {TopicCode.LOG: 5}), ("b", {TopicCode.LOG: 3, TopicCode.CONFIG: 1})):
        account = ledger.account(cluster, entity="team", prefix="p", partitions=8)
        account.writers[WRITER] = WriterAccount(acked={int(code): seq for code, seq in acked.items()})

    assert ledger.floor(WRITER) == {TopicCode.LOG: 5, TopicCode.CONFIG: 1}
    assert ledger.floor(bytes(16)) == {}


def test_older_ledger_loads() -> None:
    """An account that an earlier version saved lacks some keys and has others."""
    account = WriterAccount.from_json({"acked": {"log": 2}, "resume": [0, 64], "exit": False, "uploads": {"file": [1]}})

    assert (account.acked, account.resume) == ({TopicCode.LOG: 2}, Position(0, 64))
