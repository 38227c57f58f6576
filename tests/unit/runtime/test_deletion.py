"""Which events of a batch are left when runs are deleted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.api.kafka.command_events import RunCommand, change_file
from runstream_consumers.api.security.access import Principal, PrincipalKind
from runstream_consumers.runtime.consuming.deletion import deletes_run, remaining
from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.codec import decode, encode
from runstream_schemas.events import Event, Kind
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from uuid import UUID

_RUNS = [RunPath(entity="ada", project="p", run_id=name) for name in "abc"]
_KEYS = [run_key(run) for run in _RUNS]


def received(event: Event, offset: int) -> Received:
    """Return an event as it is received."""
    return Received(topic=event.topic, partition=0, offset=offset, append_time=offset, message=b"", event=event)


def test_a_run_is_deleted_in_each_topic_that_processes_write() -> None:
    """One event for each topic, which is read back as published; the deletion of a file deletes no run."""
    events = RunCommand(_RUNS[0], bytes(16), "ada").delete()
    assert {event.topic for event in events} == set(Topic) - {Topic.STATE}
    for event in events:
        read = decode(event.topic, encode(event))
        assert (read.kind, read.run, deletes_run(read)) == (Kind.DELETED, _RUNS[0], True)
    file = change_file(_RUNS[0], bytes(16), "a.txt", Principal("ada", PrincipalKind.USER), kind=Kind.DELETED)
    assert not deletes_run(file)


@given(
    st.lists(st.tuples(st.sampled_from(range(3)), st.sampled_from(["change", "delete", "file"])), max_size=9),
    st.frozensets(st.sampled_from(_KEYS)),
)
def test_nothing_of_a_deleted_run_is_left(given_events: list[tuple[int, str]], known: frozenset[UUID]) -> None:
    """Wherever in the batch it is deleted; its other events are counted, and those of other runs are kept in order."""
    batch: list[Received] = []
    for offset, (number, kind) in enumerate(given_events):
        command = RunCommand(_RUNS[number], bytes(16), "ada")
        user = Principal("ada", PrincipalKind.USER)
        made: Event = (
            command.delete()[0]
            if kind == "delete"
            else change_file(_RUNS[number], bytes(16), "f", user, kind=Kind.DELETED)
            if kind == "file"
            else command.change({"name": "x"})[0]
        )
        batch.append(received(made, offset))
    deleted = {_KEYS[number] for number, kind in given_events if kind == "delete"}
    gone = deleted | known
    left = remaining(known, batch, some_known=bool(known))
    assert left.deleted.keys() == deleted
    assert list(left.events) == [one for one in batch if run_key(one.event.run) not in gone]
    expected = Counter(_KEYS[number] for number, kind in given_events if kind != "delete" and _KEYS[number] in gone)
    assert left.dropped == expected


def test_what_precedes_a_deletion_in_its_topic_is_left() -> None:
    """The result is that of two batches: what was before the deletion is applied, and what follows is not."""
    command = RunCommand(_RUNS[0], bytes(16), "ada")
    [deletion] = [event for event in command.delete() if event.topic is Topic.CONFIG]
    batch = [received(event, offset) for offset, event in enumerate([*command.change({"name": "x"}), deletion])]
    later = received(command.change({"name": "y"})[0], 2)
    left = remaining(frozenset(), [*batch, later], some_known=False)
    assert (list(left.events), left.dropped) == (batch[:1], Counter({_KEYS[0]: 1}))
    again = remaining({_KEYS[0]}, batch, some_known=True)
    assert (list(again.events), again.dropped) == ([], Counter({_KEYS[0]: 1}))
