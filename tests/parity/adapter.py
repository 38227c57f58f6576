"""Adapter for Runstream: runs cases against a stack, and reads their outcome from its HTTP API.

``RUNSTREAM_URL`` and ``RUNSTREAM_API_KEY`` select the stack. All cases use the same run ids, so each case has its own
entity. Offline cases are recorded without an entity, like those of the reference, and get one when they are synced.
As the notes of the corpus allow, the adapter leaves out late rows, which the reference drops, and a name, an entity or
a project that the user did not set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_TMP = Path()
#: Seconds until a run must be complete after its end.
_DEADLINE_S = 120.0
#: Files that every run has.
_OWN_FILES = frozenset({"wandb-metadata.json", "requirements.txt", "diff.patch", "output.log", "config.yaml"})
_INTERNAL_KEYS = ("_timestamp", "_runtime", "_writer", "_late")


def start(tmpdir: str) -> ModuleType:
    """Prepare for a case; return the module under test."""
    attach(tmpdir)
    os.environ |= {"RUNSTREAM_CONSOLE": "off", "RUNSTREAM_X_DISABLE_STATS": "true"}
    if not _is_offline():
        os.environ["RUNSTREAM_ENTITY"] = _entity()
    import runstream  # noqa: PLC0415 - not needed by the process that reads

    return runstream


def attach(tmpdir: str) -> None:
    """Prepare to read the outcome of a case."""
    global _TMP  # noqa: PLW0603 - the runner's interface is a module
    _TMP = Path(tmpdir)


def outcome(run_id: str) -> dict[str, Any] | None:
    """Return the outcome of a run when it is complete; None if there is no such run."""
    folders = sorted((_TMP / "work").rglob(f"run-*-{run_id}*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    if not folders:
        return None
    for path in folders:
        _sync_if_offline(path)
    described = json.loads(folders[-1].read_text())
    run = f"/api/v1/runs/{quote(described['entity'] or _entity())}/{quote(described['project'])}/{quote(run_id)}"
    _eventually_complete(run, len(folders))
    document = _get(run)
    state = _get(f"{run}/state")
    alerts = _alerts(run)
    primaries = [writer for writer in state["writers"] if writer["role"] == "primary"]
    last_step = {} if document["last_step"] is None else {"_step": document["last_step"]}
    rows = [_row(row) for row in _rows(run)]
    media = _download_media(run, [rows, document["summary"]])
    return {
        "history": _with_facts(rows, media),
        "summary": last_step | _with_facts(document["summary"], media),
        "config": document["config"],
        "metrics": [_metric(metric) for metric in document["metrics"]],
        "exit_code": max(primaries, key=lambda writer: writer["last_time"])["exit_code"],
        "attrs": _attributes(document, described),
        "files": _saved_files(run),
        "charts": document["charts"],
        # Those of logged tables are not in what was recorded.
        "artifacts": [_artifact(one) for one in _artifacts(run, "logged") if one["type"] != "run_table"],
        "used_artifacts": [{"name": one["name"], "type": one["type"]} for one in _artifacts(run, "used")],
        "alerts": [_alert(alert) for alert in alerts],
        "preempting": document["preempting"],
        "files_dir": os.fspath(_TMP / "files") if media else None,
    }


def _download_media(run: str, values: Any) -> dict[str, dict[str, Any]]:
    """Download the files that media values name; return what the server knows of them, by name."""
    wanted = set(_media_paths(values))
    deadline = time.monotonic() + _DEADLINE_S
    found: dict[str, dict[str, Any]] = {}
    while wanted and time.monotonic() < deadline:
        listed = {file["name"]: file for file in _get(f"{run}/files", pattern="media/%", limit="1000")["files"]}
        found = {name: listed[name] for name in wanted & listed.keys() if listed[name]["state"] != "uploading"}
        if len(found) == len(wanted):
            break
        time.sleep(0.1)
    for name, file in found.items():
        if file["state"] == "stored":
            target = _TMP / "files" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_read(f"{run}/files/{quote(name)}"))
    return found


def _media_paths(value: Any) -> Iterator[str]:
    """Yield the paths that media values within a value name."""
    if isinstance(value, dict):
        if isinstance(value.get("_type"), str) and str(value.get("path", "")).startswith("media/"):
            yield value["path"]
        yield from (name for name in value.get("filenames", ()) if str(name).startswith("media/"))
        for inner in value.values():
            yield from _media_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _media_paths(inner)


def _with_facts(value: Any, files: dict[str, dict[str, Any]]) -> Any:
    """Return a value whose media have the digest and the size that the server knows, as they have in W&B's rows."""
    if isinstance(value, list):
        return [_with_facts(inner, files) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_facts(inner, files) for key, inner in value.items()}
    if value.get("_type") == "mask":
        found.pop("class_labels", None)  # W&B has them among its own keys of the config
    known = files.get(str(value.get("path"))) if isinstance(value.get("_type"), str) else None
    return found | {"sha256": known["sha256"], "size": known["size"]} if known else found


def _saved_files(run: str) -> dict[str, str]:
    """Return the policies of the files that the program saved, without media and those of every run.

    Directories are listed, as by the reference, though neither stores them; a path without a file is not.
    """
    found = _get(f"{run}/files", limit="1000")["files"]
    return {
        file["name"]: file["policy"]
        for file in found
        if file["name"] not in _OWN_FILES
        and not file["name"].startswith(("media/", "code/"))
        and not (file["state"] == "dropped" and file["reason"].endswith("there is no such file"))
    }


def _alerts(run: str) -> list[dict[str, Any]]:
    try:
        # The reference's client sends repeats, which its server drops.
        found: list[dict[str, Any]] = _get(f"{run}/alerts?repeats=true")["alerts"]
    except urllib.error.HTTPError:
        return []
    return found


def _is_offline() -> bool:
    """Return whether the current case is recorded offline."""
    if "--child" not in sys.argv:
        return False
    case = Path(__file__).parent / "cases" / f"{sys.argv[sys.argv.index('--child') + 2]}.py"
    return "\nOFFLINE = True\n" in case.read_text()


def _entity() -> str:
    return _TMP.name


def _sync_if_offline(path: Path) -> None:
    described = json.loads(path.read_text())
    if described["mode"] != "offline":
        return
    described["entity"] = described["entity"] or _entity()
    path.write_text(json.dumps(described))
    command = [sys.executable, "-m", "runstream.cli.main", "sync", os.fspath(path.parent)]
    status = subprocess.run(command, check=False, stdout=sys.stderr).returncode
    if status not in (0, 3):  # 3: delivered, except records that are too large
        raise RuntimeError(f"{command} exited with status {status}")


def _eventually_complete(run: str, folders: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        try:
            delivery = _get(f"{run}/delivery")
            if delivery["arrived"] and len(delivery["writers"]) >= folders:
                return
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        time.sleep(0.05)
    raise TimeoutError(f"{run} has not arrived: {_get(f'{run}/delivery')}")


def _get(path: str, **query: str) -> Any:
    return _plain(json.loads(_read(path, **query)))


def _read(path: str, **query: str) -> bytes:
    url = os.environ["RUNSTREAM_URL"] + path + (f"?{urlencode(query)}" if query else "")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {os.environ['RUNSTREAM_API_KEY']}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        found: bytes = answer.read()
    return found


def _plain(value: Any) -> Any:
    """Return JSON with tagged floats converted to floats."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"_type", "value"} and value["_type"] == "float":
            return float(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    return value


def _rows(run: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = _get(f"{run}/scan", late="exclude", **after)
        rows += page["rows"]
        if page["next"] is None:
            return rows
        after = {"cursor": page["next"]}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _INTERNAL_KEYS}


def _metric(metric: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": metric["name"],
        "glob": bool(metric.get("glob", metric["name"].endswith("*"))),
        "step_metric": metric.get("step_metric"),
        "step_sync": bool(metric.get("step_sync")),
        "hidden": bool(metric.get("hidden")),
        "summary": sorted(metric.get("summary") or []),
        "goal": metric.get("goal"),
    }


def _attributes(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that the user set, since the recordings have no others."""
    entity = document["entity"]
    project = document["project"]
    return {
        "entity": None if entity == _entity() else entity,
        "project": "uncategorized" if project == "Uncategorized" else project,
        "name": document["name"] if _is_named(document, described) else None,
        "notes": document["notes"] or None,
        "tags": sorted(document["tags"]),
        "group": document["group"] or None,
        "job_type": document["job_type"] or None,
        "sweep_id": None,
    }


def _is_named(document: dict[str, Any], described: dict[str, Any]) -> bool:
    """Return whether the user named the run."""
    return bool(described.get("named")) or not (document["name"] or "").startswith(described["generated_name"])


def _artifacts(run: str, direction: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = _get(f"{run}/artifacts", direction=direction, **after)
        found += page["artifacts"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def _artifact(version: dict[str, Any]) -> dict[str, Any]:
    """Return a version with its files; only versions are stored, so each is finished and has no distributed id."""
    names = (version["entity"], version["project"], f"{version['name']}:v{version['version']}")
    manifest = _get(f"/api/v1/artifacts/{'/'.join(map(quote, names))}/manifest")
    return {
        "name": version["name"],
        "type": version["type"],
        "aliases": sorted(version["aliases"]),
        "tags": version["tags"],
        "description": version["description"] or None,
        "metadata": version["metadata"] or None,
        "manifest": {path: _manifest_entry(entry) for path, entry in manifest["entries"].items()},
        "finalize": True,
        "distributed_id": None,
        "ttl_seconds": version["ttl_s"] if version["ttl_s"] > 0 else None,
    }


def _manifest_entry(entry: dict[str, Any]) -> dict[str, Any]:
    digest = entry["digest"] if "ref" in entry else entry["sha256"]
    return {"size": entry["size"], "ref": entry.get("ref"), "digest": digest}


def _alert(alert: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": alert["full_title"] or alert["title"],
        "text": alert["text"],
        "level": alert["level"],
        "wait_duration_ms": round(alert["wait_duration"] * 1000),
    }
