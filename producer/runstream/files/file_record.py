"""The record of a file in the spool; docs/spool.md describes its fields for the shipper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class FileRecord(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A file that the shipper uploads under a name in the run.

    Either its content is staged, or it is read at ``source`` when the policy requires it. ``lost`` is set instead if it
    could not be kept: the shipper publishes the reason.
    """

    #: The name in the run: relative, with slashes.
    path: str
    policy: str
    #: Path of the content relative to the run folder, which is deleted once its event is acknowledged.
    staged: str = ""
    #: Absolute path of a file that is read in place (policies live and end).
    source: str = ""
    size: int = 0
    media_type: str = ""
    #: How the shipper makes the file of what is staged: ``kind`` names an encoder, the rest are its arguments.
    encode: dict[str, Any] = {}
    #: The artifact, by its id in the run folder, that a later record makes of this file and others.
    local: str = ""
    #: Why the file could not be kept.
    lost: str = ""


#: Appends a record of topic file to the spool; raises UsageError after the end of the run.
AppendFile = Callable[[FileRecord | Mapping[str, Any]], object]
