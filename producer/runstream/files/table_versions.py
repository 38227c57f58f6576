"""Logged tables as artifacts: as in W&B, each table of a key is a version of ``run-ID-KEY``, of type ``run_table``."""

from __future__ import annotations

import base64
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream_schemas.stored.artifact_names import problem_of_artifact_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TYPE = "run_table"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]+")
_LONGEST, _SUFFIX = 128, 7


@dataclass(frozen=True, slots=True)
class TableVersions:
    """Records versions of tables. ``append`` appends a record of topic artifact; it raises UsageError after the end."""

    run_id: str
    append: Callable[[Mapping[str, Any]], None]

    def record(self, key: str, local: str, paths: Sequence[str]) -> None:
        """Record a version of files of the run: media of the cells, and last the table.

        The shipper takes their digests from their uploads: nothing is kept or read a second time.
        """
        *media, table = paths
        files = {path: path for path in media} | {f"{key}.table.json": table}
        named = {"name": artifact_name(self.run_id, key), "type": TYPE}
        self.append({"action": "log", **named, "local": local, "files": files, "finalize": True})


def new_local() -> str:
    """Return an id of a version in its run folder."""
    return secrets.token_hex(8)


def artifact_name(run_id: str, key: str) -> str:
    """Return the name of the artifact of a key's tables: that of W&B, where names cannot have all characters."""
    name = f"run-{run_id}-{key}"
    if not problem_of_artifact_name(name):
        return name
    safe = _UNSAFE.sub("", name)
    checksum = zlib.crc32(name.encode("utf-8", "surrogatepass")).to_bytes(4, "big")
    return f"{safe[: _LONGEST - _SUFFIX]}-{base64.urlsafe_b64encode(checksum).rstrip(b'=').decode()}"
