"""Strategies for rows and events of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from runstream_schemas import events, values
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic, is_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT64_MAX = 2**63 - 1
TIME_MAX = 253_402_300_799_999_999

utf8_texts = st.text(st.characters(codec="utf-8"), max_size=12)
#: NUL, dots and all planes of Unicode, without lone surrogates, which UTF-8 cannot encode.
keys = st.one_of(st.sampled_from(["a", "b", "a.b", "loss", "\0", ""]), utf8_texts)
#: Any text that Python can hold, including lone surrogates.
any_texts = st.one_of(st.text(max_size=12), st.sampled_from(["\0", "\ud800", "a\udfffb", "NaN", '"', "\\"]))
int64s = st.one_of(st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, INT64_MAX, -(2**63)]), st.integers(-(2**63), INT64_MAX))
scalars = st.one_of(st.floats(), int64s, st.booleans(), st.none(), any_texts)


def _marked(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Dicts that look like the JSON form of a float, of an escaped dict, or of what users' libraries mark alike."""
    types = st.sampled_from(["float", "~float", "~~float", "float~", "histogram", 1, None])
    contents = st.one_of(st.sampled_from(["NaN", "Infinity", "-Infinity"]), inner)
    return st.fixed_dictionaries({"_type": types, "value": contents}, optional={"more": inner})


json_values = st.recursive(
    st.one_of(scalars, st.integers()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(any_texts, inner, max_size=3), _marked(inner)),
    max_leaves=6,
)
nested_values = st.recursive(
    st.one_of(scalars, st.integers(), st.lists(json_values, max_size=3)),
    lambda inner: st.one_of(st.dictionaries(keys, inner, max_size=3), _marked(inner)),
    max_leaves=6,
)
ragged_rows = st.lists(st.dictionaries(keys, nested_values, max_size=5), max_size=8)


@st.composite
def even_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows like those of a training loop: the same keys in each, and mostly one type for each key."""
    names = draw(st.lists(keys, unique=True, max_size=4))
    kinds = [draw(st.sampled_from([st.floats(), int64s, st.booleans(), st.none(), any_texts])) for _ in names]
    count = draw(st.integers(0, 8))
    return [{name: draw(kind) for name, kind in zip(names, kinds, strict=True)} for _ in range(count)]


rows_of_a_block = st.one_of(even_rows(), ragged_rows)
names = st.text(min_size=1, max_size=20).filter(is_name)
runs = st.builds(RunPath, entity=names, project=names, run_id=names)
identifiers = st.binary(min_size=16, max_size=16)
writers = st.builds(
    events.Writer,
    id=identifiers,
    role=st.sampled_from(events.Role),
    continues=st.lists(identifiers, max_size=2).map(tuple),
)
times = st.integers(0, TIME_MAX)
numbers = st.integers(0, INT64_MAX)
counts = st.integers(1, 2**31 - 1)
seqs = st.integers(0, 2**62)
paths = st.lists(keys, min_size=1, max_size=4).map(tuple)
endings = st.builds(
    events.Ending,
    state=st.sampled_from(events.ExitState),
    exit_code=st.integers(-(2**31), 2**31 - 1),
    signal=st.integers(-1, 64),
    reason=utf8_texts,
    counts=st.dictionaries(st.sampled_from(Topic), numbers),
)


@st.composite
def blocks(draw: st.DrawFn, rows: st.SearchStrategy[list[dict[str, Any]]] = rows_of_a_block) -> events.LogEvent:
    """Blocks with at least one row."""
    content = draw(rows.filter(bool))
    size = len(content)
    return events.LogEvent(
        header=events.Header(
            kind=events.Kind.DATA, run=draw(runs), writer=draw(writers), time=draw(times), seq=draw(seqs), count=size
        ),
        stream=draw(st.sampled_from(events.Stream)),
        orders=draw(_ascending(size)),
        steps=draw(st.one_of(_ascending(size), _numbers(int64s, size))),
        times=draw(_numbers(times, size)),
        columns=pack_rows(content),
    )


def _numbers(items: st.SearchStrategy[int], size: int) -> st.SearchStrategy[NDArray[np.int64]]:
    return st.lists(items, min_size=size, max_size=size).map(lambda found: np.array(found, dtype=np.int64))


@st.composite
def _ascending(draw: st.DrawFn, size: int) -> NDArray[np.int64]:
    first = draw(st.integers(0, 2**62))
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 1000]), min_size=size, max_size=size))
    return first + np.cumsum(gaps, dtype=np.int64)


def _entries(scopes: st.SearchStrategy[events.Scope]) -> st.SearchStrategy[events.Entry]:
    return st.builds(
        events.Entry, op=st.sampled_from(events.Operation), path=paths, value=json_values.map(values.dump), scope=scopes
    )


@st.composite
def changes(draw: st.DrawFn) -> events.ChangeEvent:
    """Changes of config and summary."""
    topic = draw(st.sampled_from([Topic.CONFIG, Topic.SUMMARY]))
    scopes = st.sampled_from(events.Scope) if topic is Topic.CONFIG else st.just(events.Scope.UNKNOWN)
    entries = st.lists(_entries(scopes), max_size=3).map(tuple)
    records = draw(
        st.lists(st.builds(events.Record, order=numbers, time=times, entries=entries), min_size=1, max_size=3)
    )
    return events.ChangeEvent(
        header=events.Header(
            kind=events.Kind.DATA,
            run=draw(runs),
            writer=draw(writers),
            time=draw(times),
            seq=draw(seqs),
            count=len(records),
        ),
        topic=topic,
        records=tuple(records),
        principal=draw(utf8_texts),
    )


@st.composite
def markers(draw: st.DrawFn) -> events.Event:
    """Events without records: drop markers, deletions, and kinds of a newer version."""
    topic = draw(st.sampled_from([Topic.LOG, Topic.CONFIG, Topic.SUMMARY]))
    header = events.Header(
        kind=draw(st.sampled_from([events.Kind.DROPPED, events.Kind.DELETED, events.Kind.UNKNOWN])),
        run=draw(runs),
        writer=draw(writers),
        time=draw(times),
        seq=draw(seqs),
        count=draw(counts),
        reason=draw(utf8_texts),
    )
    if topic is not Topic.LOG:
        return events.ChangeEvent(header=header, topic=topic)
    empty = np.empty(0, dtype=np.int64)
    return events.LogEvent(
        header=header, stream=draw(st.sampled_from(events.Stream)), orders=empty, steps=empty, times=empty
    )


@st.composite
def heartbeats(draw: st.DrawFn) -> events.HeartbeatEvent:
    """Beats, ticks (which have no run) and goodbyes."""
    kind = draw(st.sampled_from([events.Kind.BEAT, events.Kind.TICK, events.Kind.GOODBYE]))
    return events.HeartbeatEvent(
        header=events.Header(
            kind=kind,
            run=RunPath(entity="", project="", run_id="") if kind is events.Kind.TICK else draw(runs),
            writer=draw(writers),
            time=draw(times),
            order=draw(numbers),
        ),
        number=draw(numbers),
        trainer_alive=draw(st.booleans()),
        interval_ms=draw(st.integers(0, 2**31 - 1)),
        pending=draw(numbers),
        host=draw(utf8_texts),
        label=draw(utf8_texts),
        ending=draw(endings) if kind is events.Kind.GOODBYE else None,
        signature=draw(st.binary(max_size=32)),
    )


exits = st.builds(
    events.ExitEvent,
    header=st.builds(
        events.Header, kind=st.just(events.Kind.DATA), run=runs, writer=writers, time=times, seq=seqs, order=numbers
    ),
    beats=st.booleans(),
    ending=endings,
    failure=st.none()
    | st.builds(events.Failure, type=utf8_texts.filter(bool), message=utf8_texts, traceback=utf8_texts),
)
_headers = st.builds(
    events.Header,
    kind=st.sampled_from([events.Kind.DATA, events.Kind.DROPPED, events.Kind.DELETED]),
    run=runs,
    writer=writers,
    time=times,
    seq=seqs,
    count=counts,
    order=numbers,
    reason=utf8_texts,
)
files = st.builds(
    events.FileEvent,
    header=_headers,
    path=utf8_texts,
    policy=st.sampled_from(events.FilePolicy),
    size=numbers,
    sha256=st.binary(max_size=32),
    object_key=utf8_texts,
    media_type=utf8_texts,
    files=st.lists(
        st.builds(
            events.FileContent,
            path=utf8_texts,
            size=numbers,
            sha256=st.binary(max_size=32),
            object_key=utf8_texts,
            media_type=utf8_texts,
            reason=utf8_texts,
        ),
        max_size=3,
    ).map(tuple),
)
_text_tuples = st.lists(utf8_texts, max_size=2).map(tuple)
artifacts = st.builds(
    events.ArtifactEvent,
    header=_headers,
    action=st.sampled_from(events.ArtifactAction),
    name=utf8_texts,
    type=utf8_texts,
    digest=st.binary(max_size=32),
    aliases=_text_tuples,
    tags=_text_tuples,
    metadata=json_values.map(values.dump),
    manifest_key=utf8_texts,
    target=utf8_texts,
    distributed_id=utf8_texts,
)
alerts = st.builds(
    events.AlertEvent,
    header=_headers,
    title=utf8_texts,
    full_title=utf8_texts,
    text=utf8_texts,
    level=st.sampled_from(events.AlertLevel),
    wait_duration_ms=int64s,
)
states = st.builds(
    events.StateEvent,
    header=st.builds(
        events.Header, kind=st.just(events.Kind.DATA), run=runs, writer=writers, time=times, seq=seqs, reason=utf8_texts
    ),
    previous=st.sampled_from(events.RunState),
    state=st.sampled_from(events.RunState),
    qualifiers=_text_tuples,
    cause=st.binary(max_size=16),
)
any_event: st.SearchStrategy[events.Event] = st.one_of(
    blocks(), changes(), markers(), heartbeats(), exits, files, artifacts, alerts, states
)
