"""Records of artifacts: what is uploaded for them, the decisions of the server, and the fields of their events."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runstream.run_folder.json_files import read_json, write_file, write_json
from runstream.shipper.ledger.upload_gate import Outcome
from runstream.shipper.uploads.content import Content, LostError
from runstream.shipper.uploads.object_api import ObjectApi
from runstream.shipper.uploads.store_client import StoreError
from runstream.shipper.uploads.uploader import Uploader
from runstream_schemas.exceptions import InvalidManifest
from runstream_schemas.stored.manifest import Manifest, ManifestEntry, digest_of
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath

log = logging.getLogger(__name__)

FOLDER_NAME = "artifacts"
#: Seconds that a link or a use waits for the artifact to be logged that it names.
_PATIENCE_S = 60.0
_LONGEST_REASON = 500
#: Client errors after which the same request may be accepted later; all others are final.
_RETRIED = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


@dataclass(slots=True, eq=False)
class ArtifactUpload:
    """A record of topic artifact while its files are uploaded and the server decides."""

    run_folder: Path
    writer: bytes
    seq: int
    record: Mapping[str, Any]
    finish: Callable[[Outcome], None]
    #: The files of the run, by path, that it is made of, as far as this process uploads them.
    parts: Mapping[str, Content] = field(default_factory=dict)
    contents: list[Content] = field(default_factory=list)
    #: A further record that follows: the use of a version that was logged to be used.
    follow_up: dict[str, Any] | None = None
    _entries: dict[str, dict[str, Any]] | None = None
    _paths: list[str] = field(default_factory=list)
    _fields: dict[str, Any] | None = None
    _lost: str = ""
    _since: float = field(default_factory=time.monotonic)
    #: Since when the server has been asked for the contents.
    _asked: float = field(default_factory=time.monotonic)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self._lost) or self._fields is not None

    @property
    def ready(self) -> bool:
        """Whether the files that it is made of are stored or lost."""
        return all(one.settled for one in self.parts.values())

    def lose(self, reason: str) -> None:
        """Give up; the training process is informed."""
        self._lost = f"artifact {self.record.get('name')}: {reason}"[:_LONGEST_REASON]
        self._write_result({"error": self._lost})

    def outcome(self, _entity: str, _kept_until: float) -> Outcome:
        """Return the outcome of a settled upload."""
        # A pack has the contents of many entries.
        staged = {str(entry["staged"]) for entry in (self._entries or {}).values() if entry.get("staged")}
        return Outcome(self._fields or {}, self._lost, staged=staged)

    def run(self, uploader: Uploader, api: ObjectApi, run: RunPath) -> None:
        """Upload and have the server decide; raises StoreError if that must be tried again later."""
        try:
            match self.record.get("action"):
                case "log" | "upsert":
                    self._log(uploader, api, run)
                case "link" | "unlink":
                    self._link(api, run)
                case _:
                    self._fields = self._named(run) | self._digest_of_local()
        except LostError as error:
            self.lose(str(error))

    # --- logging a version

    def _log(self, uploader: Uploader, api: ObjectApi, run: RunPath) -> None:
        if self._entries is None:
            self._entries = self._entries_of_files(api, run) if "files" in self.record else self._read_entries()
            self._begin_contents()
        if time.monotonic() > self._asked + api.kept_s / 2:  # what was stored then may be deleted by now
            self._asked = time.monotonic()
            for one in self.contents:
                one.stored = False
        uploader.store(self.contents, api)
        if lost := [one.lost for one in self.contents if one.lost]:
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise LostError(f"{lost[0]}{more}")
        manifest = Manifest(self._manifest_entries() if not self.record.get("incremental") else {})
        manifest = self._merged(api, run) if self.record.get("incremental") else manifest
        self._commit(uploader, api, run, manifest)

    def _read_entries(self) -> dict[str, dict[str, Any]]:
        path = self._file("json")
        try:
            found = (read_json(path) or {}).get("entries")
        except OSError as error:
            raise LostError(f"cannot read {path.name}: {error.strerror}") from error
        if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
            raise LostError(f"{path.name} is missing or damaged: the files of the artifact are not known")
        for name in found:
            if problem := problem_of_name(name):
                raise LostError(f"invalid name of a file {name[:200]!r}: {problem}")
        return found

    def _entries_of_files(self, api: ObjectApi, run: RunPath) -> dict[str, dict[str, Any]]:
        """Return the entries that are files of the run; what an earlier shipper has stored is looked up."""
        if lost := next((one.lost for one in self.parts.values() if one.lost), ""):
            raise LostError(lost)
        known = {path: {"sha256": one.sha256.hex(), "size": one.size} for path, one in self.parts.items()}
        entries = {}
        for name, path in self.record["files"].items():
            if problem := problem_of_name(name):
                raise LostError(f"invalid name of a file {name[:200]!r}: {problem}")
            entries[name] = known.get(path) or _stored_file(api, run, path)
        return entries

    def _begin_contents(self) -> None:
        for name, entry in (self._entries or {}).items():
            if "ref" not in entry:
                self.contents.append(self._content(name, entry))
                self._paths.append(name)

    def _content(self, name: str, entry: Mapping[str, Any]) -> Content:
        staged, source, sha256 = entry.get("staged"), entry.get("source"), entry.get("sha256")
        path = f"{self.run_folder}/{staged}" if staged else str(source) if source else None
        expected = (int(entry["size"]), int(entry["mtime_ns"])) if source and "mtime_ns" in entry else None
        return Content(
            path=path,
            label=name,
            offset=entry.get("offset"),
            expected=expected,
            size=int(entry.get("size") or 0),
            sha256=bytes.fromhex(sha256) if sha256 else b"",
        )

    def _manifest_entries(self) -> dict[str, ManifestEntry]:
        stored = dict(zip(self._paths, self.contents, strict=True))
        return {
            name: ManifestEntry(size=stored[name].size, sha256=stored[name].sha256)
            if name in stored
            else ManifestEntry(
                size=int(entry.get("size") or 0),
                reference=str(entry["ref"]),
                digest=str(entry.get("digest") or entry["ref"]),
                extra=entry.get("extra") or {},
            )
            for name, entry in (self._entries or {}).items()
        }

    def _merged(self, api: ObjectApi, run: RunPath) -> Manifest:
        """Return the manifest of the latest version with the entries of this one added."""
        try:
            latest = api.request("GET", f"{self._address(run)}:latest/manifest")
            before = dict(Manifest.decode(json.dumps({**latest, "version": 1}).encode()).entries)
        except StoreError as error:
            if getattr(error.__cause__, "status", 0) != HTTPStatus.NOT_FOUND:
                raise
            before = {}
        except InvalidManifest as error:
            raise LostError(f"its latest version has an unreadable manifest: {error}") from error
        return Manifest(before | self._manifest_entries())

    def _commit(self, uploader: Uploader, api: ObjectApi, run: RunPath, manifest: Manifest) -> None:
        encoded = manifest.encode()
        path = self._file("manifest.json")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_file(path, encoded)
        content = Content(path=str(path), label="the manifest")
        uploader.store([content], api)
        if content.lost:
            raise LostError(content.lost)
        draft = self.record.get("action") == "upsert" and not self.record.get("finalize")
        own: dict[str, Any] = {"digest": digest_of(encoded), "manifest_key": object_key(api.entity, content.sha256)}
        answer = self._request(
            api,
            "POST",
            f"{self._address(run)}/commits",
            {
                "type": self.record.get("type") or "",
                "action": self.record.get("action"),
                "finalize": bool(self.record.get("finalize")),
                "distributed_id": self.record.get("distributed_id") or "",
                "digest": own["digest"].hex(),
                "size": manifest.size,
                "file_count": len(manifest.entries),
                "manifest_key": own["manifest_key"],
                **self._decider(run),
            },
        )
        sizes = {"size": manifest.size, "file_count": len(manifest.entries)}
        fields = sizes | own if draft else _decided(answer)
        fields |= {"version": -1} if draft else {"action": "log"}
        fields |= {"decision": int(answer["decision"]), "draft": answer.get("draft") or ""}
        path.unlink(missing_ok=True)
        self._note_stored()
        self._fields = self._place(run) | fields
        self._write_result(self._result(run, fields))  # version -1 for a contribution: Artifact.wait() returns
        if self.record.get("use") and not draft:
            use = {"action": "use", "name": self.record.get("name"), "type": fields.get("type", "")}
            self.follow_up = use | self._place(run) | {"version": fields["version"]}

    def _result(self, run: RunPath, fields: Mapping[str, Any]) -> dict[str, Any]:
        entity, project = self._scope(run)
        return {
            "entity": entity,
            "project": project,
            "name": self.record.get("name"),
            "type": fields.get("type", self.record.get("type")),
            "version": fields["version"],
            "digest": fields["digest"].hex(),
            "decision": fields["decision"],
        }

    def _note_stored(self) -> None:
        """Write the digests to the list of files, so that the same artifact can be logged again without them."""
        if all("ref" in entry or "sha256" in entry for entry in (self._entries or {}).values()):
            return
        stored = dict(zip(self._paths, self.contents, strict=True))
        entries = {
            name: {"sha256": stored[name].sha256.hex(), "size": stored[name].size} if name in stored else entry
            for name, entry in (self._entries or {}).items()
        }
        try:
            write_json(self._file("json"), {"entries": entries})
        except OSError as error:
            log.warning("cannot write the files of artifact %s: %s", self.record.get("name"), error)

    # --- links and uses

    def _link(self, api: ObjectApi, run: RunPath) -> None:
        source = self._named(run)
        name = str(source.get("name") or self.record.get("name"))
        address = _address(source["artifact_entity"], source["artifact_project"], name)
        full = _full_name(str(self.record.get("target")), run)
        request = {"target": full, "version": source.get("version", self.record.get("version"))}
        request |= self._decider(run)
        if self.record.get("action") == "link":
            answer = self._request(api, "POST", f"{address}/links", request)
        else:
            answer = self._request(api, "DELETE", f"{address}/links", params=request)
        target = {
            "target": full,
            "target_version": _number(answer.get("target_version")),
            "target_decision": int(answer.get("target_decision") or 0),
        }
        place = {"artifact_entity": answer.get("entity"), "artifact_project": answer.get("project")}
        named = {"name": answer.get("name"), **place}
        self._fields = source | {key: value for key, value in named.items() if value} | _decided(answer) | target

    def _named(self, run: RunPath) -> dict[str, Any]:
        """Return where the version is that a record uses or links; one that this run logs may not be committed yet."""
        if not self.record.get("local"):
            return self._place(run)
        try:
            result = read_json(self._file("result.json"))
        except OSError:
            result = None
        if result is None:
            if time.monotonic() - self._since > _PATIENCE_S:
                raise LostError("it was not logged")
            raise StoreError(f"artifact {self.record.get('name')} is not logged yet")
        if "error" in result:
            raise LostError(f"it could not be logged: {result['error']}")
        return {
            "artifact_entity": result["entity"],
            "artifact_project": result["project"],
            "name": result["name"],
            "type": result["type"],
            "version": result["version"],
        }

    def _digest_of_local(self) -> dict[str, Any]:
        if not self.record.get("local"):
            return {}
        found = (read_json(self._file("result.json")) or {}).get("digest")
        return {"digest": bytes.fromhex(found)} if found else {}

    # --- shared

    def _request(
        self, api: ObjectApi, method: str, path: str, json: Any = None, *, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what the server decides; LostError if it refuses."""
        try:
            return api.request(method, path, json, params=params)
        except StoreError as error:
            status = getattr(error.__cause__, "status", 0)
            if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _RETRIED:
                raise LostError(str(error)) from error
            raise

    def _decider(self, run: RunPath) -> dict[str, Any]:
        """Return what identifies the request of this record: the server decides it only once."""
        return {"run": f"{run.entity}/{run.project}/{run.run_id}", "writer": self.writer.hex(), "seq": self.seq}

    def _scope(self, run: RunPath) -> tuple[str, str]:
        entity = self.record.get("artifact_entity") or run.entity
        return str(entity), str(self.record.get("artifact_project") or run.project)

    def _place(self, run: RunPath) -> dict[str, Any]:
        entity, project = self._scope(run)
        return {"artifact_entity": entity, "artifact_project": project}

    def _address(self, run: RunPath) -> str:
        return _address(*self._scope(run), str(self.record.get("name")))

    def _file(self, ending: str) -> Path:
        """Return a file about the artifact, by the id that the training process gave it."""
        local = str(self.record.get("local") or "")
        if not local.isalnum():
            raise LostError(f"invalid id {local[:100]!r}")
        return self.run_folder / FOLDER_NAME / f"{local}.{ending}"

    def _write_result(self, result: Mapping[str, Any]) -> None:
        if self.record.get("action") not in {"log", "upsert"}:
            return
        try:
            write_json(self._file("result.json"), result)
        except (OSError, LostError) as error:
            log.warning("cannot write the result of artifact %s: %s", self.record.get("name"), error)


def _stored_file(api: ObjectApi, run: RunPath, path: str) -> dict[str, Any]:
    """Return digest and size of a file of a run; StoreError if its event is not stored yet, LostError if it is lost."""
    address = "/runs/" + "/".join(quote(part, safe="") for part in (run.entity, run.project, run.run_id))
    found = api.request("GET", f"{address}/files", params={"name": path})["files"]
    if not found or found[0]["state"] == "uploading":
        raise StoreError(f"{path} is not stored yet")
    if found[0]["state"] != "stored":
        raise LostError(f"{path} is {found[0]['state']}: {found[0]['reason']}")
    return {"sha256": found[0]["sha256"], "size": found[0]["size"]}


def _address(entity: str, project: str, name: str) -> str:
    return "/artifacts/" + "/".join(quote(part, safe="") for part in (entity, project, name))


def _full_name(target: str, run: RunPath) -> str:
    """Return ``entity/project/name`` of a target, which may lack the first parts."""
    parts = target.split("/")
    missing = [run.entity, run.project][: max(3 - len(parts), 0)]
    return "/".join([*missing, *parts])


def _decided(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a version that the server decided."""
    digest = str(answer.get("digest") or "")
    return {
        "version": _number(answer.get("version")),
        "digest": bytes.fromhex(digest),
        "manifest_key": str(answer.get("manifest_key") or ""),
        "size": int(answer.get("size") or 0),
        "file_count": int(answer.get("file_count") or 0),
        **({"type": str(answer["type"])} if answer.get("type") else {}),
    }


def _number(value: Any) -> int:
    return -1 if value is None else int(value)
