"""Example events of every topic, and the files of their bytes and meanings, to try a reader in any language on.

``python -m tests.contract.examples`` writes the files that are missing; it never changes one that is there, since those
are the old bytes that every later version has to read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from runstream_schemas import registry
from runstream_schemas.codec import encode
from runstream_schemas.events import (
    Branch,
    ChangeEvent,
    Ending,
    Entry,
    Event,
    ExitEvent,
    ExitState,
    HeartbeatEvent,
    Kind,
    LogEvent,
    Operation,
    RawEvent,
    Record,
    Role,
    Scope,
    Stream,
    Writer,
)
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.contract.meaning import meaning_of

VECTORS = Path(__file__).parent / "vectors"

RUN = RunPath(entity="ada", project="digits", run_id="k3v9x2mq")
PRIMARY = Writer(id=bytes(range(16)), role=Role.PRIMARY)
RESUMED = Writer(id=bytes(range(16, 32)), role=Role.PRIMARY, continues=(PRIMARY.id,))
SHIPPER = Writer(id=bytes(range(32, 48)), role=Role.SHIPPER)
NOON = 1_795_262_400_000_000


def examples() -> dict[str, Event]:
    """Return the events by ``topic/name``."""
    return {**_blocks(), **_changes(), **_lives(), **_others()}


def vector_of(event: Event) -> dict[str, Any]:
    """Return what the file of an event says."""
    schema = registry.current(event.topic)
    return {
        "topic": event.topic.value,
        "schema_id": schema.id,
        "schema_version": schema.version,
        "message": encode(event).hex(),
        "meaning": meaning_of(event),
    }


def path_of(name: str, event: Event) -> Path:
    """Return where the file of an event lies: under its topic and the version that wrote it."""
    topic, own = name.split("/")
    return VECTORS / topic / str(registry.current(event.topic).version) / f"{own}.json"


def block(rows: list[dict[str, Any]], **changes: Any) -> LogEvent:
    """Return a block of history rows, numbered from 0, a second apart."""
    numbers = np.arange(len(rows), dtype=np.int64)
    given: dict[str, Any] = {
        "kind": Kind.DATA,
        "run": RUN,
        "writer": PRIMARY,
        "time": NOON,
        "seq": 0,
        "count": len(rows),
        "stream": Stream.HISTORY,
        "orders": numbers + 1,
        "steps": numbers,
        "times": NOON + numbers * 1_000_000,
        "columns": pack_rows(rows),
    }
    return LogEvent(**{**given, **changes})


def longs(*numbers: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return numbers of rows."""
    return np.array(numbers, dtype=np.int64)


def _blocks() -> dict[str, Event]:
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
        "log/gaps_in_order": block([{"x": 1.5}, {"x": 2.5}, {"x": 3.5}], orders=longs(4, 6, 9), steps=longs(7, 7, 8)),
        "log/console": block(
            [{"stream": "stdout", "text": "epoch 1"}, {"stream": "stderr", "text": "\u001b[31mwarning"}],
            writer=SHIPPER,
            stream=Stream.CONSOLE,
        ),
        "log/fork": block(
            [],
            kind=Kind.BRANCH,
            count=1,
            branch=Branch(run=RunPath(entity="ada", project="digits", run_id="parent01"), step=41),
        ),
        "log/dropped": block(
            [],
            kind=Kind.DROPPED,
            seq=100,
            count=7,
            reason="disk full",
        ),
    }


def _changes() -> dict[str, Event]:
    start = (
        Entry(op=Operation.SET, path=("name",), value='"calm-lake-7"', scope=Scope.ATTRIBUTE),
        Entry(op=Operation.SET, path=("tags",), value='["baseline"]', scope=Scope.ATTRIBUTE),
        Entry(op=Operation.SET, path=("host",), value='"node-1"', scope=Scope.METADATA),
        Entry(op=Operation.SET, path=("lr",), value="0.001", scope=Scope.CONFIG),
        Entry(op=Operation.SET, path=("model", "layers"), value="[64,10]", scope=Scope.CONFIG),
        Entry(op=Operation.SET, path=("loss",), value='{"name":"loss","summary":["min"]}', scope=Scope.METRIC),
    )
    gone = (Entry(op=Operation.REMOVE, path=("model", "layers"), scope=Scope.CONFIG),)
    shared: dict[str, Any] = {"kind": Kind.DATA, "run": RUN, "writer": PRIMARY, "time": NOON}
    best = Entry(op=Operation.SET, path=("best", "acc"), value="0.97")
    worst = Entry(op=Operation.SET, path=("worst",), value='{"_type":"float","value":"NaN"}')
    return {
        "config/start": ChangeEvent(
            topic=Topic.CONFIG, seq=0, count=1, records=(Record(order=0, time=NOON, entries=start),), **shared
        ),
        "config/two_records": ChangeEvent(
            topic=Topic.CONFIG,
            seq=1,
            count=2,
            records=(Record(order=5, time=NOON + 1, entries=gone), Record(order=9, time=NOON + 2, entries=())),
            **shared,
        ),
        "summary/set": ChangeEvent(
            topic=Topic.SUMMARY, seq=0, count=1, records=(Record(order=12, time=NOON, entries=(best, worst)),), **shared
        ),
        "summary/dropped": ChangeEvent(
            topic=Topic.SUMMARY, seq=1, count=3, reason="disk full", **{**shared, "kind": Kind.DROPPED}
        ),
    }


def _lives() -> dict[str, Event]:
    ending = Ending(
        state=ExitState.CRASHED,
        signal=9,
        reason="SIGKILL",
        counts={Topic.LOG: 400, Topic.CONFIG: 3, Topic.SUMMARY: 0, Topic.EXIT: 1},
    )
    finished = Ending(state=ExitState.FINISHED, exit_code=0, counts={Topic.LOG: 400, Topic.CONFIG: 3, Topic.EXIT: 1})
    nobody = RunPath(entity="", project="", run_id="")
    return {
        "heartbeat/beat": HeartbeatEvent(
            kind=Kind.BEAT,
            run=RUN,
            writer=PRIMARY,
            time=NOON,
            number=3,
            order=41,
            trainer_alive=True,
            interval_ms=15_000,
            pending=2,
            host="node-1",
            label="rank0",
            preempting=True,
            waits_for_all=True,
        ),
        "heartbeat/tick": HeartbeatEvent(
            kind=Kind.TICK, run=nobody, writer=SHIPPER, time=NOON, number=1000, signature=bytes(range(32))
        ),
        "heartbeat/goodbye": HeartbeatEvent(
            kind=Kind.GOODBYE, run=RUN, writer=PRIMARY, time=NOON, number=4, order=405, host="node-1", ending=ending
        ),
        "exit/killed": ExitEvent(
            kind=Kind.DATA, run=RUN, writer=PRIMARY, time=NOON, order=404, beats=True, ending=ending
        ),
        "exit/finished": ExitEvent(kind=Kind.DATA, run=RUN, writer=RESUMED, time=NOON, order=404, ending=finished),
        "exit/without_a_say": ExitEvent(
            kind=Kind.DATA, run=RUN, writer=RESUMED, time=NOON, order=404, ending=finished, decides=False
        ),
    }


def _others() -> dict[str, Event]:
    shared: dict[str, Any] = {"kind": Kind.DATA, "run": RUN, "writer": PRIMARY, "time": NOON, "seq": 0}
    return {
        "file/image": RawEvent(
            topic=Topic.FILE,
            order=7,
            fields={
                "path": "media/images/sample_0.png",
                "policy": "now",
                "size": 1234,
                "sha256": bytes(range(32)),
                "object_key": "sha256/00/01",
                "media_type": "image/png",
            },
            **shared,
        ),
        **_generated(Topic.ALERT, shared),
        **_generated(Topic.ARTIFACT, shared),
    }


def _generated(topic: Topic, shared: dict[str, Any]) -> dict[str, Event]:
    """Return an event of a topic whose fields are filled by type alone."""
    envelope = {"kind", "entity", "project", "run_id", "writer_id", "role", "continues", "time", "seq", "count"}
    fields = {
        item["name"]: _filled(item["name"], item["type"])
        for item in json.loads(registry.current(topic).text)["fields"]
        if item["name"] not in envelope | {"order", "reason"}
    }
    return {f"{topic.value}/example": RawEvent(topic=topic, order=8, fields=fields, **shared)}


def _filled(name: str, kind: Any) -> Any:  # noqa: PLR0911 - one line a type
    match kind:
        case "string":
            return f"some {name}"
        case "bytes":
            return bytes(range(32))
        case "int" | "long":
            return 12
        case "boolean":
            return True
        case {"type": "enum", "symbols": symbols}:
            return symbols[1]
        case {"type": "array", "items": items}:
            return [_filled(name, items)]
        case {"type": "record", "fields": fields}:
            return {item["name"]: _filled(item["name"], item["type"]) for item in fields}
    raise TypeError(f"no example for {kind}")


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
