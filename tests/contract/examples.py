"""Example events of every topic, and the files of their bytes and content, with which any reader can be tested.

``python -m tests.contract.examples`` writes the files that are missing. It never changes an existing one: every later
version has to read these bytes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from runstream_schemas import events, registry, values
from runstream_schemas.codec import encode
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.contract.meaning import meaning_of
from tests.events import changed

VECTORS = Path(__file__).parent / "vectors"

RUN = RunPath(entity="ada", project="digits", run_id="k3v9x2mq")
PRIMARY = events.Writer(id=bytes(range(16)), role=events.Role.PRIMARY)
RESUMED = events.Writer(id=bytes(range(16, 32)), role=events.Role.PRIMARY, continues=(PRIMARY.id,))
SHIPPER = events.Writer(id=bytes(range(32, 48)), role=events.Role.SHIPPER)
NOON = 1_795_262_400_000_000
#: Values that look like the JSON form of a float, and like what such values are written as; and a float.
MARKERS = [
    {"_type": "float", "value": [1]},
    {"_type": "float", "value": "NaN"},
    {"_type": "~float", "value": float("-inf")},
    {"_type": "~~float", "value": {"_type": "float", "value": "Infinity"}},
    {"_type": "float", "value": "NaN", "more": 1},
    float("nan"),
]


def examples() -> dict[str, events.Event]:
    """Return the events by ``topic/name``."""
    return {**_blocks(), **_changes(), **_heartbeats_and_exits(), **_others(), **_derived()}


def vector_of(event: events.Event) -> dict[str, Any]:
    """Return the content of the file of an event."""
    schema = registry.current(event.topic)
    return {
        "topic": event.topic.value,
        "schema_id": schema.id,
        "schema_version": schema.version,
        "message": encode(event).hex(),
        "meaning": meaning_of(event),
    }


def path_of(name: str, event: events.Event) -> Path:
    """Return the path of the file of an event: its topic and the version that wrote it are folders."""
    topic, own = name.split("/")
    return VECTORS / topic / str(registry.current(event.topic).version) / f"{own}.json"


def block(rows: list[dict[str, Any]], **changes: Any) -> events.LogEvent:
    """Return a block of history rows, numbered from 0 and logged a second apart."""
    numbers = np.arange(len(rows), dtype=np.int64)
    event = events.LogEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=PRIMARY, time=NOON, count=len(rows)),
        stream=events.Stream.HISTORY,
        orders=numbers + 1,
        steps=numbers,
        times=NOON + numbers * 1_000_000,
        columns=pack_rows(rows),
    )
    return changed(event, **changes)


def longs(*numbers: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return an array of 64-bit integers."""
    return np.array(numbers, dtype=np.int64)


def _blocks() -> dict[str, events.Event]:
    edge = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan"), "most": 2**63 - 1, "least": -(2**63)}
    ragged: list[dict[str, Any]] = [
        {"loss": 0.5, "epoch": 1, "done": False},
        {"loss": None, "val": {"acc": 0.25, "per class": {"0": 1.0, "1": 0.5}}},
        {"loss": "diverged", "a.b": 1, "note": "NUL \0, lone \ud800, ä"},
        {},
        {"loss": 1, "image": {"size": [1, 2, {"x": float("nan")}]}, "wide": 2**70},
    ]
    return {
        "log/one_row": block([{"loss": 0.5}]),
        "log/even_rows": block([{"train/loss": 1.0 / (i + 1), "epoch": i // 2, "best": i == 2} for i in range(4)]),
        "log/ragged_rows": block(ragged, writer=RESUMED, seq=17, steps=longs(10, 11, 5, 12, 13)),
        "log/edges": block([{**edge, "zero": -0.0, "none": None}, {**edge, "zero": 5e-324, "none": None}]),
        "log/markers": block([{"x": MARKERS[0], "list": MARKERS, "inner": {"_type": "histogram", "bins": [0, 1]}}]),
        "log/gaps_in_order": block([{"x": 1.5}, {"x": 2.5}, {"x": 3.5}], orders=longs(4, 6, 9), steps=longs(7, 7, 8)),
        "log/console": block(
            [{"stream": "stdout", "text": "epoch 1"}, {"stream": "stderr", "text": "\u001b[31mwarning"}],
            writer=SHIPPER,
            stream=events.Stream.CONSOLE,
        ),
        "log/fork": block(
            [],
            kind=events.Kind.BRANCH,
            count=1,
            branch=events.Branch(run=RunPath(entity="ada", project="digits", run_id="parent01"), step=41),
        ),
        "log/dropped": block(
            [],
            kind=events.Kind.DROPPED,
            seq=100,
            count=7,
            reason="disk full",
        ),
    }


def _changes() -> dict[str, events.Event]:
    start = (
        events.Entry(op=events.Operation.SET, path=("name",), value='"calm-lake-7"', scope=events.Scope.ATTRIBUTE),
        events.Entry(op=events.Operation.SET, path=("tags",), value='["baseline"]', scope=events.Scope.ATTRIBUTE),
        events.Entry(op=events.Operation.SET, path=("host",), value='"node-1"', scope=events.Scope.METADATA),
        events.Entry(op=events.Operation.SET, path=("lr",), value="0.001", scope=events.Scope.CONFIG),
        events.Entry(op=events.Operation.SET, path=("model", "layers"), value="[64,10]", scope=events.Scope.CONFIG),
        events.Entry(
            op=events.Operation.SET,
            path=("loss",),
            value='{"name":"loss","summary":["min"]}',
            scope=events.Scope.METRIC,
        ),
    )
    removed = (events.Entry(op=events.Operation.REMOVE, path=("model", "layers"), scope=events.Scope.CONFIG),)
    header = events.Header(kind=events.Kind.DATA, run=RUN, writer=PRIMARY, time=NOON)
    best = events.Entry(op=events.Operation.SET, path=("best", "acc"), value="0.97")
    worst = events.Entry(op=events.Operation.SET, path=("worst",), value='{"_type":"float","value":"NaN"}')
    markers = events.Entry(op=events.Operation.SET, path=("x",), value=values.dump(MARKERS), scope=events.Scope.CONFIG)
    return {
        "config/markers": events.ChangeEvent(
            header=header, topic=Topic.CONFIG, records=(events.Record(order=0, time=NOON, entries=(markers,)),)
        ),
        "config/start": events.ChangeEvent(
            header=header, topic=Topic.CONFIG, records=(events.Record(order=0, time=NOON, entries=start),)
        ),
        "config/two_records": events.ChangeEvent(
            header=header.with_records(1, 2),
            topic=Topic.CONFIG,
            records=(
                events.Record(order=5, time=NOON + 1, entries=removed),
                events.Record(order=9, time=NOON + 2, entries=()),
            ),
        ),
        "summary/set": events.ChangeEvent(
            header=header, topic=Topic.SUMMARY, records=(events.Record(order=12, time=NOON, entries=(best, worst)),)
        ),
        "summary/dropped": events.ChangeEvent(
            header=replace(header, kind=events.Kind.DROPPED, reason="disk full", seq=1, count=3), topic=Topic.SUMMARY
        ),
    }


def _heartbeats_and_exits() -> dict[str, events.Event]:
    ending = events.Ending(
        state=events.ExitState.CRASHED,
        signal=9,
        reason="SIGKILL",
        counts={Topic.LOG: 400, Topic.CONFIG: 3, Topic.SUMMARY: 0, Topic.EXIT: 1},
    )
    finished = events.Ending(
        state=events.ExitState.FINISHED, exit_code=0, counts={Topic.LOG: 400, Topic.CONFIG: 3, Topic.EXIT: 1}
    )
    no_run = RunPath(entity="", project="", run_id="")
    return {
        "heartbeat/beat": events.HeartbeatEvent(
            header=events.Header(kind=events.Kind.BEAT, run=RUN, writer=PRIMARY, time=NOON, order=41),
            number=3,
            trainer_alive=True,
            interval_ms=15_000,
            pending=2,
            host="node-1",
            label="rank0",
            preempting=True,
            waits_for_all=True,
        ),
        "heartbeat/tick": events.HeartbeatEvent(
            header=events.Header(kind=events.Kind.TICK, run=no_run, writer=SHIPPER, time=NOON),
            number=1000,
            signature=bytes(range(32)),
            open_runs=24,
            silent_runs=12,
        ),
        "heartbeat/goodbye": events.HeartbeatEvent(
            header=events.Header(kind=events.Kind.GOODBYE, run=RUN, writer=PRIMARY, time=NOON, order=405),
            number=4,
            host="node-1",
            ending=ending,
        ),
        "exit/killed": events.ExitEvent(
            header=events.Header(kind=events.Kind.DATA, run=RUN, writer=PRIMARY, time=NOON, order=404),
            beats=True,
            ending=ending,
        ),
        "exit/finished": events.ExitEvent(
            header=events.Header(kind=events.Kind.DATA, run=RUN, writer=RESUMED, time=NOON, order=404), ending=finished
        ),
        "exit/failed": events.ExitEvent(
            header=events.Header(kind=events.Kind.DATA, run=RUN, writer=PRIMARY, time=NOON, order=404),
            ending=replace(finished, state=events.ExitState.FAILED, exit_code=1, reason="ValueError: bad batch"),
            failure=events.Failure(
                type="ValueError",
                message="bad batch",
                traceback='Traceback (most recent call last):\n  File "train.py", line 7\nValueError: bad batch\n',
            ),
        ),
        "exit/without_a_say": events.ExitEvent(
            header=events.Header(kind=events.Kind.DATA, run=RUN, writer=RESUMED, time=NOON, order=404),
            ending=finished,
            decides=False,
        ),
    }


def _others() -> dict[str, events.Event]:
    header = events.Header(kind=events.Kind.DATA, run=RUN, writer=PRIMARY, time=NOON)
    return {
        "file/image": events.FileEvent(
            header=replace(header, order=7),
            path="media/images/sample_0.png",
            policy=events.FilePolicy.NOW,
            size=1234,
            sha256=bytes(range(32)),
            object_key="sha256/00/01",
            media_type="image/png",
            principal="ada",
        ),
        "file/several": events.FileEvent(
            header=replace(header, order=9),
            policy=events.FilePolicy.NOW,
            files=(
                events.FileContent(
                    path="logs/a.txt",
                    size=12,
                    sha256=bytes(range(32)),
                    object_key="sha256/00/01",
                    media_type="text/plain",
                ),
                events.FileContent(path="logs/b", reason="damaged"),
            ),
        ),
        "alert/example": events.AlertEvent(
            header=replace(header, order=8),
            title="some title",
            full_title="some full_title",
            text="some text",
            level=events.AlertLevel.INFO,
            wait_duration_ms=12,
        ),
        "artifact/example": events.ArtifactEvent(
            header=replace(header, order=8),
            action=events.ArtifactAction.LOG,
            name="some name",
            type="some type",
            digest=bytes(range(32)),
            aliases=("some aliases",),
            tags=("some tags",),
            metadata="some metadata",
            manifest_key="some manifest_key",
            target="some target",
            distributed_id="some distributed_id",
            artifact_entity="some entity",
            artifact_project="some project",
            version=3,
            decision=9,
            size=2**40,
            file_count=17,
            description="some description",
            ttl_s=-1,
            draft="some draft",
            use_as="some use",
            target_version=2,
            target_decision=4,
            changes='{"aliases": ["best"]}',
            principal="ada",
        ),
    }


def _derived() -> dict[str, events.Event]:
    header = events.Header(kind=events.Kind.DATA, run=RUN, writer=events.STATE_WRITER, time=NOON)
    note = events.Entry(op=events.Operation.SET, path=("notes",), value='"best so far"', scope=events.Scope.ATTRIBUTE)
    change = events.Record(order=0, time=NOON, entries=(note,))
    command = events.Header(
        kind=events.Kind.DATA,
        run=RUN,
        writer=events.Writer(id=bytes(range(48, 64)), role=events.Role.COMMAND),
        time=NOON,
    )
    return {
        "config/command": events.ChangeEvent(header=command, topic=Topic.CONFIG, records=(change,), principal="ada"),
        "state/started": events.StateEvent(
            header=header, previous=events.RunState.UNKNOWN, state=events.RunState.RUNNING, cause=PRIMARY.id
        ),
        "state/presumed": events.StateEvent(
            header=replace(header, seq=1, time=NOON + 120_000_000, reason="no heartbeat for 120 s"),
            previous=events.RunState.RUNNING,
            state=events.RunState.CRASHED,
            qualifiers=("presumed",),
            cause=PRIMARY.id,
        ),
    }


def main() -> None:
    """Write the files that are missing."""
    for name, event in examples().items():
        path = path_of(name, event)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(vector_of(event), indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
