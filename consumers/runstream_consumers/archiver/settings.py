"""Settings of the archiver."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from runstream_consumers.settings import ServerSettings, read_settings


class ArchiverSettings(ServerSettings):
    """Settings of the archiver, in addition to those of every server process."""

    #: Messages of a partition that wait to be archived, or seconds for which one has waited, after which they are.
    archive_messages: int = Field(default=5_000, ge=1)
    archive_delay_s: float = Field(default=3600.0, ge=0)
    #: Interval between two looks at the ends of the partitions, seconds.
    archive_interval_s: float = Field(default=30.0, gt=0)
    #: Bytes of the messages of an object, which are in memory at once.
    archive_chunk_bytes: int = Field(default=8 * 1024 * 1024, ge=1)
    #: How long objects are kept that were replaced or never used, seconds: readers may have begun to read them.
    archive_grace_s: float = Field(default=3600.0, ge=0)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of this process; raises SettingsError."""
        return read_settings(cls)
