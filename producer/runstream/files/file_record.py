"""The record of a file in the spool; docs/spool.md describes its fields for the shipper."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file that the shipper uploads under a name in the run.

    Either its content is staged, or it is read at ``source`` when the policy requires it. ``lost`` is set instead if it
    could not be kept: the shipper publishes the reason.
    """

    #: The name in the run: relative, with slashes.
    path: str
    policy: str = "now"
    #: Path of the content relative to the run folder, which is deleted once its event is acknowledged.
    staged: str = ""
    #: Absolute path of a file that is read in place (policies live and end).
    source: str = ""
    size: int = 0
    media_type: str = ""
    #: How the shipper makes the file of what is staged: ``kind`` names an encoder, the rest are its arguments.
    encode: Mapping[str, Any] = field(default_factory=dict)
    #: The artifact, by its id in the run folder, that a later record makes of this file and others.
    local: str = ""
    #: Why the file could not be kept.
    lost: str = ""

    def as_record(self) -> dict[str, Any]:
        """Return the fields that are set, as they are appended to the spool."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in found.items() if value or name in {"path", "policy"}}
