"""The files that runs have: metadata, packages, uncommitted changes, the config and, if asked for, the program."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.files.code_files import relative_program
from runstream.tracking.startup.git_state import shortened_diff
from runstream_schemas.events import Scope
from runstream_schemas.stored.names import problem_of_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runstream.files.run_files import RunFiles
    from runstream.tracking.values.entries import ConfigEntry

METADATA, REQUIREMENTS, DIFF, CONFIG = "wandb-metadata.json", "requirements.txt", "diff.patch", "config.yaml"
#: A larger config is written as JSON, which YAML includes: PyYAML would need seconds.
_LONGEST_YAML = 500_000


def split(entries: Sequence[ConfigEntry], started: float) -> tuple[list[ConfigEntry], dict[str, bytes]]:
    """Return the entries of a run's first record, with a diff that is short enough for them, and the run's files.

    There are no files if the metadata is not recorded, as in a worker.
    """
    found = {path[0]: value for scope, _, path, value in entries if scope == Scope.METADATA.value and len(path) == 1}
    git = found.get("git")
    if not (isinstance(git, dict) and "diff" in git):
        return list(entries), documents(found, started)
    short = {**git, "diff": shortened_diff(git["diff"])}
    return [[*start, short if value is git else value] for *start, value in entries], documents(found, started)


def documents(found: Mapping[str, Any], started: float) -> dict[str, bytes]:
    """Return the files that hold the metadata of a run; the names in them are those of W&B where it has them."""
    if not found:
        return {}
    git = dict(found.get("git") or {})
    packages, diff = found.get("packages"), git.pop("diff", None)
    described = {name: value for name, value in found.items() if name != "packages"}
    program = str(found.get("program") or "")
    described |= {
        "startedAt": datetime.fromtimestamp(started, UTC).isoformat().replace("+00:00", "Z"),
        "root": found.get("cwd"),
        "codePath": relative_program(program) or None,
        "docker": dict(found.get("container") or {}).get("image"),
        "git": git or None,
    }
    described = {name: value for name, value in described.items() if value is not None}
    files = {METADATA: json.dumps(described, indent=2).encode() + b"\n"}
    if packages:
        files[REQUIREMENTS] = "".join(f"{package}\n" for package in packages).encode()
    if diff:
        files[DIFF] = str(diff).encode()
    return files


def config_file(config: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the file with a run's config at its end, in the form of W&B; no file if the config is empty."""
    described = {key: {"value": value} for key, value in config.items()}
    if not described:
        return {}
    text = json.dumps(described, indent=2, ensure_ascii=False, default=str)
    if len(text) <= _LONGEST_YAML:
        import yaml  # noqa: PLC0415 - only at the end of a run

        with contextlib.suppress(yaml.YAMLError):
            text = yaml.dump(described, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True)
    return {CONFIG: text.encode(errors="replace")}


def record(files: RunFiles, found: Mapping[str, bytes], program: str = "") -> None:
    """Record files, and the file of a program as ``code/NAME``; what cannot be kept is recorded as lost."""
    for name, data in found.items():
        try:
            files.add(name, files.staging.write(data))
        except OSError as error:
            files.add_lost(name, f"it could not be kept in the run folder ({error.strerror or error})")
    name = f"code/{relative_program(program)}"
    if not program or problem_of_name(name):
        return
    try:
        files.add(name, files.staging.copy(Path(program)))
    except OSError as error:
        files.add_lost(name, error.strerror or str(error))
