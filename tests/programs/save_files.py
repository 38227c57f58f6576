"""A training script that saves files with random content, and notes their digests in a journal.

    save_files.py --id ID --files N [--size BYTES] [--large MIB] [--journal FILE] [--watched] [--end finish|kill]
                  [--only files|artifact] [--together N]

Each line of the journal is written after the file was saved: ``{"run", "path", "sha256", "size"}``. A row with the
number of the file is logged after each, unless ``--only`` is given. ``--together N`` further files of the same size are
saved by one call. The files of the policies live and end change until the end. With ``--only artifact``, all files are
logged at the end as one artifact.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
from pathlib import Path

import runstream

FOLDER = Path("data")


class Journal:
    """The saved files, with their digests."""

    def __init__(self, path: Path | None, run: str) -> None:
        self._file = path.open("a") if path is not None else None
        self._run = run

    def note(self, path: Path) -> None:
        """Add a line for a file."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        line = {"run": self._run, "path": path.as_posix(), "sha256": digest, "size": path.stat().st_size}
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def main() -> None:
    """Save the files."""
    options = _options()
    FOLDER.mkdir(exist_ok=True)
    run = runstream.init(project="tests", id=options.id, entity=options.entity, mode=options.mode)
    journal = Journal(options.journal, run.path)
    _save_each(run, journal, options)
    if options.together:
        _save_together(run, journal, options)
    if options.only == "artifact":
        artifact = runstream.Artifact("files", "dataset")
        artifact.add_dir(str(FOLDER))
        run.log_artifact(artifact)
    if options.watched:
        _save_watched(run, journal)
    if options.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    run.finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--mode", default=None)
    parser.add_argument("--entity", default=None)
    parser.add_argument("--watched", action="store_true")
    parser.add_argument("--only", choices=("files", "artifact"))
    parser.add_argument("--together", type=int, default=0)
    parser.add_argument("--end", choices=("finish", "kill"), default="finish")
    return parser.parse_args()


def _save_each(run: runstream.Run, journal: Journal, options: argparse.Namespace) -> None:
    sizes = [options.size] * options.files + ([options.large << 20] if options.large else [])
    for number, size in enumerate(sizes):
        path = FOLDER / f"{number:05}.bin"
        _write(path, size, f"{options.seed} {number}")
        if options.only == "artifact":
            continue
        run.save(str(path), base_path=".", policy="now")
        journal.note(path)
        if options.only is None:
            run.log({"file": number})


def _save_together(run: runstream.Run, journal: Journal, options: argparse.Namespace) -> None:
    folder = FOLDER / "many"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:05}.bin" for number in range(options.together)]
    for number, path in enumerate(paths):
        _write(path, options.size, f"{options.seed} together {number}")
    run.save(f"{folder}/*", base_path=".", policy="now")
    for path in paths:
        journal.note(path)


def _save_watched(run: runstream.Run, journal: Journal) -> None:
    for policy in ("live", "end"):
        path = FOLDER / f"{policy}.log"
        path.write_text("first\n")
        run.save(str(path), base_path=".", policy=policy)
        path.write_text(f"first\nlast of {policy}\n")
        journal.note(path)


def _write(path: Path, size: int, seed: str) -> None:
    unit = hashlib.sha256(seed.encode()).digest() * 32768
    with path.open("wb") as file:
        for start in range(0, size, len(unit)):
            file.write(unit[: size - start])


if __name__ == "__main__":
    main()
