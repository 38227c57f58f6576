"""Server-sent events of a run: everything once and in order, from any cursor, until the run has ended."""

from __future__ import annotations

import base64
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import asyncpg

from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from tests.conftest import run_aside
from tests.integration.api.conftest import ROWS, history_row, new_recording
from tests.integration.api.event_stream import Event, EventStream
from tests.integration.api.serving import ENTITY, path
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def stream_of(served: Served, recording: Recording, last_id: str | None = None) -> EventStream:
    """Return the stream of a run."""
    return EventStream(f"{served.url}/api/v1/runs{path(recording.run)}/follow", last_id)


def logged(events: Iterable[Event]) -> list[tuple[int, dict[str, Any]]]:
    """Return the step and the values of each row of some events."""
    rows = [row for event in events if event.name == "rows" for row in event.data["rows"]]
    return [(row["_step"], {key: value for key, value in row.items() if key[0] != "_"}) for row in rows]


def names(events: Iterable[Event]) -> list[str]:
    """Return the types of events, repeated ones once."""
    return list(dict.fromkeys(event.name for event in events))


def test_an_ended_run_is_sent_from_any_cursor_to_its_end(served: Served, digits: Recording) -> None:
    """Rows as they were logged, the summary, the state with its transitions; from a later cursor only the rest."""
    stream = stream_of(served, digits)
    events = list(stream.events())
    rows = [(step, history_row(step)) for step in range(ROWS)]
    assert logged(events) == rows
    assert names(events) == ["summary", "rows", "state", "end"]
    assert stream.retry_ms == 2000
    document = served.run(digits)
    assert events[0].data == {"summary": document["summary"]}
    assert events[-1].data == {"state": "finished"}
    (state,) = [event.data for event in events if event.name == "state"]
    expected = served.run(digits, "/state")
    assert state == {name: expected[name] for name in ("state", "qualifiers", "transitions")}
    for index, event in enumerate(events[:-2]):
        rest = list(stream_of(served, digits, event.id).events())
        assert [(one.name, one.data) for one in rest] == [(one.name, one.data) for one in events[index + 1 :]]
    assert list(stream.events()) == []  # 204: a browser does not ask again


def test_rows_can_be_selected(served: Served, digits: Recording) -> None:
    """Keys select values, and rows that have them; parts select events; other streams are followed alike."""
    events = list(stream_of(served, digits).events(keys=["val/accuracy"], parts=["rows", "summary"]))
    assert names(events) == ["summary", "rows", "end"]
    assert logged(events) == [(step, {"val/accuracy": step / ROWS}) for step in range(99, ROWS, 100)]
    assert events[0].data == {"summary": {"val/accuracy": 1999 / ROWS}}
    lines = logged(stream_of(served, digits).events(stream="console", parts="rows"))
    assert [line["text"] for _, line in lines] == [f"line {number}" for number in range(50)]
    assert names(stream_of(served, digits).events(begin="now", parts="rows")) == ["end"]


def test_a_live_run_is_sent_as_it_is_stored(served: Served) -> None:
    """What a stream has not sent when it is left is sent by the next one, which ends when the run does."""
    recording = new_recording("live", project="following").start({}).beat().rows([{"loss": 1.0}])
    served.store(recording)
    first = stream_of(served, recording)
    before = list(islice(first.events(), 3))
    assert names(before) == ["summary", "rows", "state"]
    assert before[2].data["state"] == "running"
    for step in (1, 2):
        served.store(recording.rows([{"loss": step / 2}], first_step=step))
    served.publish(recording.exit())
    after = list(first.events())
    assert logged([*before, *after]) == [(0, {"loss": 1.0}), (1, {"loss": 0.5}), (2, {"loss": 1.0})]
    assert after[-1].name == "end"
    states = [event.data for event in (*before, *after) if event.name == "state"]
    transitions = [one["to"] for state in states for one in state["transitions"]]
    assert transitions == ["pending", "running", "finished"]


def test_rows_that_were_replaced_are_left_out(served: Served) -> None:
    """Rows after the step of a rewind are sent only if hidden ones are wanted, with a mark."""
    recording = new_recording("rewound", project="following").start({}).rows([{"n": step} for step in range(6)])
    recording.branch(recording.run, 2).rows([{"n": 10 + step} for step in range(3, 6)], first_step=3).exit()
    served.store(recording)
    values = [row["n"] for _, row in logged(stream_of(served, recording).events())]
    assert values == [0, 1, 2, 13, 14, 15]
    events = stream_of(served, recording).events(hidden=True, parts="rows")
    rows = [row for event in events if event.name == "rows" for row in event.data["rows"]]
    assert [(row["n"], row.get("_hidden", False)) for row in rows if row.get("_hidden")] == [
        (3, True),
        (4, True),
        (5, True),
    ]
    assert len(rows) == 9


def test_a_message_that_leaves_quarantine_is_sent(served: Served) -> None:
    """Its rows come when they are stored, although later ones were sent before; and only once."""
    recording = new_recording("quarantined", project="following").start({}).beat()
    for step in range(3):
        served.store(recording.rows([{"n": step}], first_step=step))
    dsn = served.settings["RUNSTREAM_POSTGRES"]
    run_aside(_quarantine(dsn, recording, step=1))
    stream = stream_of(served, recording)
    before = [next(event for event in stream.events(parts="rows") if event.name == "rows")]
    assert logged(before) == [(0, {"n": 0}), (2, {"n": 2})]
    run_aside(_redrive(dsn))
    served.publish(recording.rows([{"n": 3}], first_step=3).exit())
    assert logged(stream.events(parts="rows")) == [(1, {"n": 1}), (3, {"n": 3})]


async def _quarantine(dsn: str, recording: Recording, *, step: int) -> None:
    """Move a stored message to quarantine, as if the consumer could not have applied it."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("create table moved as table history.block with no data")
            await connection.execute(
                "with gone as (delete from history.block where run = $1 and min_step = $2 and stream = $3 returning *) "
                "insert into moved select * from gone",
                run_key(recording.run),
                step,
                1,
            )
            await connection.execute(
                """insert into runtime.quarantine (sink, topic, partition, "offset", append_time, stage, reason, run)
                select 'history', (select topic from runtime.sink_offset where sink = 'history' limit 1), partition,
                    "offset", append_time, 'apply', 'test', run from moved"""
            )
    finally:
        await connection.close()


async def _redrive(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("insert into history.block select * from moved")
            await connection.execute("update runtime.quarantine set redriven = now() where reason = 'test'")
            await connection.execute("drop table moved")
    finally:
        await connection.close()


def test_a_stream_ends_when_its_run_is_deleted(served: Served) -> None:
    """With the reason; a later request is answered by 404."""
    recording = new_recording("deleted", project="following").start({}).beat().rows([{"loss": 1.0}])
    served.store(recording)
    stream = stream_of(served, recording)
    events = []
    for event in stream.events():
        events.append(event)
        if event.name == "state":
            assert served.ask(f"/api/v1/runs{path(recording.run)}", method="DELETE").status_code == 200
    assert events[-1].name == "problem"
    assert events[-1].data["code"] == "run_deleted"
    with stream.opened() as response:
        assert response.status_code == 404


def _changed(cursor: str, **places: Any) -> str:
    values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for place, value in places.items():
        values[int(place[1:])] = value
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def test_invalid_requests_are_refused_with_the_reason(served: Served, digits: Recording) -> None:
    """Cursors of another run, query or version, texts that are no cursors, and unknown runs."""
    where = f"/api/v1/runs{path(digits.run)}/follow"
    events = list(stream_of(served, digits).events(parts="summary"))
    cursor = events[0].id
    cases = [
        ({"cursor": cursor}, "of another query"),
        ({"cursor": cursor, "parts": "summary", "keys": "loss"}, "of another query"),
        ({"cursor": _changed(cursor, _0=2), "parts": "summary"}, "made by another version (2)"),
        ({"cursor": _changed(cursor, _2="1"), "parts": "summary"}, "expected the `id`"),
        ({"cursor": _changed(cursor, _3=2**70), "parts": "summary"}, "expected the `id`"),
        ({"cursor": "é"}, "expected the `id`"),
        ({"cursor": "1.2"}, "expected the `id`"),
        ({"begin": "later"}, "begin"),
        ({"parts": "media"}, "parts"),
    ]
    for parameters, reason in cases:
        answer = served.ask(where, **parameters)
        assert answer.status_code == 422, parameters
        assert reason in answer.json()["error"]["message"]
    assert served.ask("/api/v1/runs/ada/digits/unknown/follow").status_code == 404


def test_console_lines_continue_within_a_block(served: Served) -> None:
    """The positions of the console's lines and those of streams are the same."""
    recording = new_recording("lines", project="following").start({}).beat()
    for number in range(3):
        text = {"stream": "stdout", "text": f"line {number}", "label": "", "host": "h"}
        served.store(recording.rows([text, {**text, "text": f"more {number}"}], stream=Stream.CONSOLE))
    page = served.run(recording, "/console", after="")
    assert [line["text"] for line in page["lines"]] == ["line 0", "more 0", "line 1", "more 1", "line 2", "more 2"]
    offset, seq = page["next"].split(".")
    assert [line["text"] for line in served.run(recording, "/console", after=f"{offset}.{int(seq) - 1}")["lines"]] == [
        "more 2"
    ]
    assert served.run(recording, "/console", after=page["next"])["lines"] == []
    latest = served.run(recording, "/console", lines=1)
    assert served.run(recording, "/console", after=latest["next"])["lines"] == []


def project_stream(served: Served, project: str) -> EventStream:
    """Return the stream of a project."""
    return EventStream(f"{served.url}/api/v1/projects/{ENTITY}/{project}/follow")


def runs_of(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Return the id and the state of each run of some events."""
    return [(run["id"], run["state"]) for event in events for run in event.data["runs"]]


def until(events: Iterable[Event], state: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the runs of events up to one with an id and a state."""
    found: list[tuple[str, str]] = []
    for event in events:
        found += runs_of([event])
        if state in found:
            return found
    raise AssertionError(found)


def test_runs_of_a_project_are_sent_as_they_change(served: Served) -> None:
    """From a cursor exactly those that changed since, in the state that lists show; no others are sent again."""
    writers = [new_recording(f"run-{number}", project="watched").start({}).beat() for number in range(3)]
    other = new_recording("elsewhere", project="unwatched").start({}).beat()
    served.store(*writers[:2], other)
    everything = project_stream(served, "watched")
    found = until(everything.events(begin="start"), ("run-1", "running"))
    assert set(found) == {("run-0", "running"), ("run-1", "running")}
    live = project_stream(served, "watched")
    assert runs_of(islice(live.events(), 1)) == []
    served.store(writers[2])
    served.store(writers[0].rows([{"loss": 0.5}]).exit(), other.rows([{"loss": 1.0}]))
    for stream in (live, everything):
        found = until(stream.events(), ("run-0", "finished"))
        assert ("run-2", "running") in found
        assert {name for name, _ in found} == {"run-0", "run-2"}
    served.store(writers[1].rows([{"loss": 0.25}]))
    event = next(event for event in live.events() if event.data["runs"])
    assert [(run["id"], run["summary"]["loss"]) for run in event.data["runs"]] == [("run-1", 0.25)]


def test_many_runs_of_a_project_are_sent_in_parts(served: Served) -> None:
    """Each once, also if the stream is left after each part; cursors of other projects are refused."""
    writers = [new_recording(f"run-{number:03}", project="crowded").start({}) for number in range(120)]
    served.publish(*writers)
    eventually(lambda: served.get("/api/v1/runs/count", project="crowded")["count"] == 120)
    stream = project_stream(served, "crowded")
    parts = [next(iter(stream.events(begin="start"))) for _ in range(3)]
    assert [len(part.data["runs"]) for part in parts] == [50, 50, 20]
    assert len({name for name, _ in runs_of(parts)}) == 120
    where = f"/api/v1/projects/{ENTITY}/digits/follow"
    assert "of another query" in served.ask(where, cursor=stream.last_id).json()["error"]["message"]
    assert served.ask(where, cursor="x").status_code == 422
    assert served.ask(f"/api/v1/projects/{ENTITY}/%0A/follow").status_code == 422
