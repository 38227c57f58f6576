"""The settings of every server process, read from the environment (``RUNSTREAM_*``)."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runstream_schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX

_ORIGIN = re.compile(r"https?://[A-Za-z0-9*.\-\[\]]+(:[0-9*]+)?")


class ServerSettings(BaseSettings):
    """Settings of consumers and the API; ``RUNSTREAM_KAFKA`` and ``RUNSTREAM_POSTGRES`` are required.

    The representation does not contain secrets, so settings may be logged.
    """

    model_config = SettingsConfigDict(env_prefix="RUNSTREAM_", env_ignore_empty=True, extra="ignore", frozen=True)

    #: Bootstrap server of the brokers, ``host:port``.
    kafka: str
    #: Connection URI of the database.
    postgres: str = Field(repr=False)
    prefix: str = Field(default=DEFAULT_PREFIX, min_length=1)
    #: Partitions of every topic, fixed when the stack is created.
    partitions: int = Field(default=DEFAULT_PARTITIONS, ge=1)
    #: Permanent name of this process in its consumer's group, so that it gets its partitions back immediately after a
    #: restart. Two processes of one consumer must not have the same. If empty, each start is a new member.
    instance: str = ""

    #: The entity of runs that do not specify one.
    entity: str = "local"
    #: Bearer token of the API.
    token: str = Field(default="", repr=False)
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8787, ge=0, le=65535)
    #: URL of the API and the pages for users; ``http://{api_host}:{api_port}`` if empty.
    public_url: str = ""
    #: Origins of notebook servers, in addition to this machine's, that may show a run's page in a frame; separated by
    #: spaces (``https://hub.example``).
    frame_ancestors: str = ""

    #: Interval between two beats of a writer, seconds.
    heartbeat_s: float = Field(default=15.0, gt=0)

    log_level: str = "INFO"

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of this process; raises pydantic's ValidationError, which names missing settings."""
        return cls()  # type: ignore[call-arg] # the required fields come from the environment

    @field_validator("frame_ancestors")
    @classmethod
    def _origins(cls, value: str) -> str:
        if any(not _ORIGIN.fullmatch(origin) for origin in value.split()):
            raise ValueError("Invalid origins: expected https://hub.example, separated by spaces")
        return value

    @property
    def url(self) -> str:
        """The URL of the API for users, without a trailing slash."""
        return (self.public_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")
