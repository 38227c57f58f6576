"""What runs are selected and sorted by, by W&B's names and ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from runstream_consumers.summary.listing import ATTRIBUTE, CONFIG


class Source(Enum):
    """Where the values of a field are."""

    #: The config and the attributes: the column ``described`` of ``summary.listing``.
    DESCRIBED = "described"
    SUMMARY = "summary"
    #: The table of liveness.
    STATE = "state"
    #: Columns of times, microseconds since 1970.
    CREATED = "created"
    UPDATED = "updated"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a run."""

    source: Source
    #: Keys of the column, of which a run usually has one.
    keys: tuple[str, ...] = ()

    @property
    def is_time(self) -> bool:
        """Whether its values are times."""
        return self.source in {Source.CREATED, Source.UPDATED}

    @property
    def is_json(self) -> bool:
        """Whether its values are in a column of JSON."""
        return self.source in {Source.DESCRIBED, Source.SUMMARY}


def _attribute(name: str) -> Field:
    return Field(Source.DESCRIBED, (f"{ATTRIBUTE}{name}",))


STATE: Final = Field(Source.STATE)
CREATED: Final = Field(Source.CREATED)
UPDATED: Final = Field(Source.UPDATED)
ID: Final = _attribute("id")
DISPLAY_NAME: Final = _attribute("display_name")
TAGS: Final = _attribute("tags")
GROUP: Final = _attribute("group")
JOB_TYPE: Final = _attribute("job_type")
USER: Final = _attribute("user")
_NOTES: Final = _attribute("notes")
_SWEEP: Final = _attribute("sweep")

#: By the names that filters use. In W&B, ``name`` is the id.
FIELDS: Mapping[str, Field] = {
    "id": ID,
    "name": ID,
    "state": STATE,
    "tags": TAGS,
    "notes": _NOTES,
    "group": GROUP,
    "user": USER,
    "sweep": _SWEEP,
    **dict.fromkeys(("display_name", "displayName"), DISPLAY_NAME),
    **dict.fromkeys(("job_type", "jobType"), JOB_TYPE),
    **dict.fromkeys(("username", "user.username"), USER),
    **dict.fromkeys(("sweep_name", "sweepName"), _SWEEP),
    **dict.fromkeys(("created_at", "createdAt"), CREATED),
    **dict.fromkeys(("heartbeat_at", "heartbeatAt", "updated_at", "updatedAt"), UPDATED),
}
_SUMMARIES = ("summary_metrics", "summaryMetrics", "summary")
#: W&B's config has an object for each key, of which the value is a part.
_VALUE = ".value"


def config_field(key: str) -> Field:
    """Return the field of a key of the config; nested keys are joined by dots."""
    keys = (key, key.removesuffix(_VALUE)) if key.endswith(_VALUE) and key != _VALUE else (key,)
    return Field(Source.DESCRIBED, tuple(f"{CONFIG}{name}" for name in keys))


def field_named(name: str) -> Field:
    """Return the field with a name; raises ValueError, which lists the names."""
    if (found := FIELDS.get(name)) is not None:
        return found
    part, _, key = name.partition(".")
    if key and part == "config":
        return config_field(key)
    if key and part in _SUMMARIES:
        return Field(Source.SUMMARY, (key,))
    known = ", ".join([*FIELDS, "config.KEY", "summary_metrics.KEY"])
    raise ValueError(f"Unknown field {name!r}: expected one of {known}")
