"""What is known of a file, for random events."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.files.model import FileRow, FileState, fold, rows_of
from runstream_consumers.runtime.plugin import Received
from runstream_schemas.events import FileContent, FileEvent, FilePolicy, Header, Kind, Role, Writer
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runstream_consumers.files.model import FileKey

RUN = RunPath(entity="ada", project="digits", run_id="one")
_WRITER = Writer(id=b"w" * 16, role=Role.PRIMARY)


def event(kind: Kind, path: str, content: bytes | None) -> FileEvent:
    """Return an event about a file; without content, one of kind data is an announcement."""
    header = Header(kind=kind, run=RUN, writer=_WRITER, time=1, reason="full disk" if kind is Kind.DROPPED else "")
    if kind is not Kind.DATA or content is None:
        return FileEvent(header=header, path=path, policy=FilePolicy.LIVE)
    sha256 = hashlib.sha256(content).digest()
    return FileEvent(
        header=header,
        path=path,
        policy=FilePolicy.NOW,
        size=len(content),
        sha256=sha256,
        object_key=object_key("ada", sha256),
    )


def event_of_several(*contents: tuple[str, bytes | None]) -> FileEvent:
    """Return an event about several files, by name and content; those without content are lost."""
    stored = [(path, content, hashlib.sha256(content or b"").digest()) for path, content in contents]
    files = [
        FileContent(path=path, reason="damaged")
        if content is None
        else FileContent(path=path, size=len(content), sha256=sha256, object_key=object_key("ada", sha256))
        for path, content, sha256 in stored
    ]
    header = Header(kind=Kind.DATA, run=RUN, writer=_WRITER, time=1)
    return FileEvent(header=header, policy=FilePolicy.NOW, files=files)


_PATHS = st.sampled_from(["a", "b/c"])
_CONTENTS = st.sampled_from([b"", b"one", b"two", None])
_EVENTS = st.lists(
    st.one_of(
        st.builds(event, st.sampled_from([Kind.DATA, Kind.DATA, Kind.DROPPED, Kind.DELETED]), _PATHS, _CONTENTS),
        st.lists(st.tuples(_PATHS, _CONTENTS), min_size=1, max_size=2, unique_by=lambda one: one[0]).map(
            lambda contents: event_of_several(*contents)
        ),
    ),
    max_size=12,
)


def _rows(events: Sequence[FileEvent]) -> list[FileRow]:
    received = (
        Received(topic=Topic.FILE, partition=0, offset=offset, append_time=100 - offset, message=b"", event=one)
        for offset, one in enumerate(events)
    )
    found = [list(rows_of(one, one.event)) for one in received if isinstance(one.event, FileEvent)]
    assert all(found)
    return [row for rows in found for row in rows]


def _folded(rows: Iterable[FileRow]) -> dict[FileKey, FileRow]:
    known: dict[FileKey, FileRow] = {}
    for row in rows:
        fold(known, row)
    return known


@given(_EVENTS, st.data())
def test_batches_repetitions_and_order_do_not_matter(events: list[FileEvent], data: st.DataObject) -> None:
    """Events in any order, repeated, and folded in groups that are merged later, give the same rows."""
    rows = _rows(events)
    whole = _folded(rows)
    again = data.draw(st.permutations([*rows, *rows])) if rows else []
    assert _folded(again) == whole
    half = len(again) // 2
    groups = [_folded(part) for part in (again[:half], again[half:])]
    assert _folded(row for group in groups for row in group.values()) == whole


@given(_EVENTS)
def test_a_file_has_its_last_content_until_it_is_deleted(events: list[FileEvent]) -> None:
    """The state follows from the events one after another: losses and announcements hide no content."""
    known = _folded(_rows(events))
    each = [(event.kind, one) for event in events for one in event.contents]
    for path in {one.path for _, one in each}:
        state, content = FileState.DELETED, None
        for kind, one in ((kind, one) for kind, one in each if one.path == path):
            if one.object_key:
                state, content = FileState.STORED, one.sha256
            elif kind is Kind.DELETED:
                state = FileState.DELETED
            elif state is not FileState.STORED:
                state = FileState.DROPPED if one.reason else FileState.UPLOADING
        (row,) = (row for row in known.values() if row.path == path)
        assert row.state is state
        if state is FileState.STORED:
            assert row.sha256 == content


@given(_EVENTS)
def test_merging_is_associative(events: list[FileEvent]) -> None:
    """Merging from the left and from the right is the same."""
    rows = [row for row in _rows(events) if row.path == "a"]
    if rows:
        left = functools.reduce(FileRow.merge, rows)
        assert left == functools.reduce(FileRow.merge, reversed(rows))
