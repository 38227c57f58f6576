"""A training script that saves files with random content, and notes their digests in a journal.

    save_files.py --id ID --files N [--size BYTES] [--large MIB] [--journal FILE] [--watched] [--end finish|kill]
                  [--only files|artifact] [--together]

Each line of the journal is written after the file was saved: ``{"run", "path", "sha256", "size"}``. A row with the
number of the file is logged after each, unless ``--only`` is given. The files of the policies live and end change until
the end. With ``--only artifact``, all files are logged at the end as one artifact; with ``--together``, they are saved at
the end by one call.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
from pathlib import Path

import runstream


def main() -> None:
    """Save the files."""
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
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--end", choices=("finish", "kill"), default="finish")
    options = parser.parse_args()
    folder = Path("data")
    folder.mkdir(exist_ok=True)
    run = runstream.init(project="tests", id=options.id, entity=options.entity, mode=options.mode)
    sizes = [options.size] * options.files + ([options.large << 20] if options.large else [])
    journal = options.journal.open("a") if options.journal else None

    def note(path: Path) -> None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        line = {"run": run.path, "path": f"data/{path.name}", "sha256": digest, "size": path.stat().st_size}
        if journal is not None:
            journal.write(json.dumps(line) + "\n")
            journal.flush()

    for number, size in enumerate(sizes):
        path = folder / f"{number:05}.bin"
        _write(path, size, f"{options.seed} {number}")
        if options.only == "artifact" or options.together:
            continue
        run.save(str(path), base_path=".", policy="now")
        note(path)
        if options.only is None:
            run.log({"file": number})
    if options.together:
        run.save("data/*.bin", base_path=".", policy="now")
        for path in sorted(folder.glob("*.bin")):
            note(path)
    if options.only == "artifact":
        artifact = runstream.Artifact("files", "dataset")
        artifact.add_dir(str(folder))
        run.log_artifact(artifact)
    if options.watched:
        for policy in ("live", "end"):
            path = folder / f"{policy}.log"
            path.write_text("first\n")
            run.save(str(path), base_path=".", policy=policy)
            path.write_text(f"first\nlast of {policy}\n")
            note(path)
    if options.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    run.finish()


def _write(path: Path, size: int, seed: str) -> None:
    unit = hashlib.sha256(seed.encode()).digest() * 32768
    with path.open("wb") as file:
        for start in range(0, size, len(unit)):
            file.write(unit[: size - start])


if __name__ == "__main__":
    main()
