"""Finds and reads the runs that W&B recorded on this machine."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.importing.files import files_below
from runstream.importing.names import files_fingerprint
from runstream.importing.records import (
    Damage,
    Ending,
    Found,
    Metadata,
    NotImported,
    Record,
    SourceRun,
    StoredFile,
    UnreadablePlace,
)
from runstream.importing.wandb.conversion import Conversion
from runstream.importing.wandb.fields import RecordField, RunField
from runstream.importing.wandb.framing import HEADER, Unreadable, frames, problem_of_header
from runstream.importing.wandb.values import seconds
from runstream.importing.wandb.wire import Message, WireError
from runstream.run_folder.json_files import read_json
from runstream_schemas.events import ExitState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACKER = "wandb"
#: Records of a file among which the one that names the run is expected; it is the second.
_FIRST_RECORDS = 100
#: What is read of ``wandb-metadata.json``, under the same names.
_METADATA = frozenset({"os", "python", "host", "program", "username", "executable", "args", "docker", "git"})
_METADATA |= frozenset({"cpu_count", "gpu", "gpu_count", "cuda"})
_LARGEST_METADATA = 1024 * 1024
_DEFAULT_PROJECT = "uncategorized"


def find_runs(places: Sequence[Path]) -> Iterator[Found]:
    """Yield the runs in files, in folders of runs, and in folders that contain such, oldest first."""
    found: dict[Path, None] = {}
    for place in places:
        paths = [place] if place.is_file() else _log_files(place)
        found.update(dict.fromkeys(path.resolve() for path in paths))
        if not paths:
            yield UnreadablePlace(str(place), "there is no .wandb file" if place.exists() else "it does not exist")
    described = [_described(path) for path in found]
    yield from (one for one in described if isinstance(one, UnreadablePlace))
    yield from sorted(
        (one for one in described if isinstance(one, SourceRun)), key=lambda run: (run.started, run.place)
    )


def _log_files(folder: Path) -> list[Path]:
    return sorted(
        Path(parent, name) for parent, _, names in os.walk(folder) for name in names if name.endswith(".wandb")
    )


def _described(path: Path) -> Found:
    try:
        with path.open("rb") as file:
            if problem := problem_of_header(file.read(HEADER.size)):
                return UnreadablePlace(str(path), problem)
            run = next(
                (run for _, item in zip(range(_FIRST_RECORDS), frames(file), strict=False) if (run := _run(item))), None
            )
        if run is None or not run.text(RunField.RUN_ID):
            return UnreadablePlace(str(path), "the record that names the run is missing")
        started, run_id = int(seconds(run.message(RunField.START_TIME)) * 1e6), run.text(RunField.RUN_ID)
        return SourceRun(
            tracker=TRACKER,
            key=f"{run_id}/{started}",
            fingerprint=files_fingerprint([path]),
            run_id=run_id,
            project=run.text(RunField.PROJECT) or _DEFAULT_PROJECT,
            place=str(path),
            started=started,
            records=partial(_read, path),
        )
    except (OSError, WireError) as error:
        return UnreadablePlace(str(path), str(error))


def _run(item: bytes | Unreadable) -> Message | None:
    return None if isinstance(item, Unreadable) else Message(item).message(RecordField.RUN)


def _read(path: Path) -> Iterator[Record]:
    conversion = Conversion()
    ending: Ending | None = None
    with path.open("rb") as file:
        file.seek(HEADER.size)
        for item in frames(file):
            if isinstance(item, Unreadable):
                yield Damage(f"{path.name}, bytes {item.start:,} to {item.stop:,}: {item.reason}")
                continue
            for record in conversion.add(item):
                if isinstance(record, Ending):
                    ending = record
                else:
                    yield record
    yield from conversion.close()
    if not conversion.has_environment:
        yield from _metadata(path.parent / "files" / "wandb-metadata.json")
    yield from _files(path.parent / "files", conversion.listed)
    yield ending or Ending(ExitState.CRASHED, reason="the file of the run has no end")


def _metadata(path: Path) -> Iterator[Metadata]:
    """Yield what older versions describe in a file: machine and program."""
    try:
        found = read_json(path) if path.stat().st_size < _LARGEST_METADATA else None
    except OSError:
        found = None
    if known := {name: value for name, value in (found or {}).items() if name in _METADATA and value}:
        yield Metadata(known)


def _files(folder: Path, listed: Sequence[str]) -> Iterator[Record]:
    seen: set[str] = set()
    for item in files_below(folder):
        if isinstance(item, StoredFile):
            seen.add(item.name)
        yield item
    for name in dict.fromkeys(listed):
        if name not in seen:
            yield NotImported("files", f"{name!r:.200} is not in the folder of the run")
