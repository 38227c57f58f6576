"""Finds and reads the runs in TensorBoard's event files: each folder that has such files is a run, as in TensorBoard.

Needs the package tensorboard.
"""

from __future__ import annotations

import math
import os
import struct
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.importing.names import digest, files_fingerprint
from runstream.importing.records import (
    Attributes,
    Config,
    Content,
    Damage,
    Ending,
    Found,
    NotImported,
    Record,
    Row,
    SourceRun,
    UnreadablePlace,
)
from runstream.media.packages import require_installed
from runstream.tensorboard.event_files import EventFile
from runstream.tensorboard.images import EventImages
from runstream.tensorboard.rows import Event, file_time
from runstream_schemas.events import ExitState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACKER = "tensorboard"
#: Head of a record: length, checksum of the length; after the data there is another checksum. (TensorFlow, TFRecord.)
_HEAD, _TAIL = struct.Struct("<QI"), 4
#: Steps whose rows are open at a time: writers add values to a step in several events, not always one after another.
_OPEN_STEPS = 256
_DIGEST_LENGTH = 10
_US = 1_000_000


def find_runs(places: Sequence[Path]) -> Iterator[Found]:
    """Yield the runs in folders and below them. Raises Error without the package tensorboard."""
    require_installed("tensorboard", "Importing from TensorBoard", "runstream[tensorboard]")
    for place in places:
        root = place.absolute() if place.is_dir() else place.absolute().parent
        found = _event_folders(place)
        if not found:
            reason = "there is no event file (*tfevents*)" if place.exists() else "it does not exist"
            yield UnreadablePlace(str(place), reason)
        for folder, files in found.items():
            try:
                yield _described(root, folder, files)
            except OSError as error:
                yield UnreadablePlace(str(folder), error.strerror or str(error))


def _event_folders(place: Path) -> dict[Path, list[Path]]:
    """Return the event files by folder, in the order in which they were begun."""
    if place.is_file():
        return {place.absolute().parent: [place.absolute()]}
    found: dict[Path, list[Path]] = {}
    for parent, folders, names in os.walk(place.absolute()):
        folders.sort()
        files = [Path(parent, name) for name in names if "tfevents" in name and not name.endswith(".profile-empty")]
        if files := [path for path in files if path.is_file()]:
            found[Path(parent)] = sorted(files, key=lambda path: (file_time(path.name), path.name))
    return found


def _described(root: Path, folder: Path, files: Sequence[Path]) -> SourceRun:
    name = folder.relative_to(root).as_posix()
    name = root.name if name == "." else name
    # The name of a file has the time and the host, so that folders of the same name are different runs.
    key = f"{name}/{files[0].name}"
    return SourceRun(
        tracker=TRACKER,
        key=key,
        fingerprint=files_fingerprint(files),
        run_id=f"{name.replace('/', '-')[-80:]}-{digest(key)[:_DIGEST_LENGTH]}",
        project=root.name or TRACKER,
        place=str(folder),
        started=file_time(files[0].name) * _US,
        records=partial(_read, name, files),
    )


def _read(name: str, files: Sequence[Path]) -> Iterator[Record]:
    yield Attributes({"name": name})
    skipped: Counter[str] = Counter()
    rows = _Rows()
    for path in files:
        hparams: dict[tuple[str, ...], Any] = {}
        images = EventImages()
        reader = EventFile(str(path), partial(_note, hparams, skipped), images)
        for event in reader.read():
            yield from (Content(path, data) for path, data in images.taken())
            if hparams:
                yield Config(dict(hparams))
                hparams.clear()
            yield from rows.add(event)
        if hparams:
            yield Config(hparams)
        yield from _damage(path, reader.events)
    yield from rows.close()
    for kind, count in sorted(skipped.items()):
        yield NotImported(f"values of the plugin {kind}", "TensorBoard's data of this kind is not imported", count)
    # Event files have no end: whether the process failed is not known.
    yield Ending(ExitState.FINISHED)


def _note(hparams: dict[tuple[str, ...], Any], skipped: Counter[str], plugin: str, value: Any) -> None:
    """Note a value that is none of a row: hyperparameters are read, others are counted."""
    if plugin != "hparams":
        skipped[plugin or "unknown"] += 1
        return
    from tensorboard.plugins.hparams import plugin_data_pb2  # noqa: PLC0415 - not installed everywhere

    try:
        content = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    except Exception:  # noqa: BLE001 - of the package that reads messages
        skipped["hparams (unreadable)"] += 1
        return
    for key, one in content.session_start_info.hparams.items():
        kind = one.WhichOneof("kind")
        hparams[key,] = getattr(one, kind) if kind in {"number_value", "string_value", "bool_value"} else None


class _Rows:
    """Joins the events of each step to rows; yields them in the order in which their steps came first."""

    def __init__(self) -> None:
        self._open: dict[int, Row] = {}

    def add(self, event: Event) -> Iterator[Row]:
        row = self._open.get(event.step)
        if row is not None and not row.values.keys().isdisjoint(event.values):
            yield self._open.pop(event.step)
            row = None
        values = {**(row.values if row else {}), **event.values}
        self._open[event.step] = Row(event.step, max(event.time, row.time if row else 0), values)
        if len(self._open) > _OPEN_STEPS:
            yield self._open.pop(next(iter(self._open)))

    def close(self) -> Iterator[Row]:
        yield from self._open.values()
        self._open = {}


def _damage(path: Path, read: int) -> Iterator[Damage]:
    """Yield what is wrong with a file of which so many records could be read."""
    whole, torn_at = _records(path)
    if torn_at is not None:
        yield Damage(f"{path.name}, byte {torn_at:,}: the file ends within a record")
    if read < whole:
        yield Damage(f"{path.name}: {whole - read:,} of {whole:,} records cannot be read: a checksum is wrong")


def _records(path: Path) -> tuple[int, int | None]:
    """Return how many whole records a file has by their lengths, and where a torn one begins."""
    count, at, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(_HEAD.size)
            length = _HEAD.unpack(head)[0] if len(head) == _HEAD.size else math.inf
            if at + _HEAD.size + length + _TAIL > size:
                return count, at
            count, at = count + 1, at + _HEAD.size + int(length) + _TAIL
    return count, None
