"""Settings of the compactor."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from runstream_consumers.settings import ServerSettings, read_settings


class CompactorSettings(ServerSettings):
    """Settings of the compactor, in addition to those of every server process."""

    #: Rows, or bytes of messages, of a stream of a run in Postgres from which on they are archived.
    compact_rows: int = Field(default=65_536, ge=1)
    compact_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    #: Rows are archived, however few, once none of their run has arrived for this long, seconds.
    compact_idle_s: float = Field(default=600.0, ge=0)
    #: Interval between two searches for runs to compact, seconds.
    compact_interval_s: float = Field(default=5.0, gt=0)
    #: How long objects are kept that were replaced or never used, seconds: readers may have begun to read them.
    compact_grace_s: float = Field(default=300.0, ge=0)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of this process; raises SettingsError."""
        return read_settings(cls)
