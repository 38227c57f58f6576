"""The settings of every server process, read from the environment (``RUNSTREAM_*``)."""

from __future__ import annotations

import logging
import re
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runstream_schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX

_ORIGIN = re.compile(r"https?://[A-Za-z0-9*.\-\[\]]+(:[0-9*]+)?")
_STORE = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[^\s:/?#@\[\]]+)(:\d+)?/?")
_BROKER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^\s:/,\[\]]+):\d+")
_DATABASE_SCHEMES = ("postgresql://", "postgres://")


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


class SettingsError(Exception):
    """Settings are missing or invalid; the message has a line for each."""


class ServerSettings(BaseSettings):
    """Settings of consumers and the API; ``RUNSTREAM_KAFKA`` and ``RUNSTREAM_POSTGRES`` are required.

    The representation does not contain secrets, so settings may be logged.
    """

    model_config = SettingsConfigDict(env_prefix="RUNSTREAM_", env_ignore_empty=True, extra="ignore", frozen=True)

    kafka: str = Field(description="a broker of the stack, host:port")
    postgres: str = Field(repr=False, description="its database, postgresql://user:password@host:port/database")
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

    #: The S3 store of files and artifacts, ``http(s)://host[:port]``; without one, the API refuses files.
    s3_endpoint: str = ""
    #: The same store as clients reach it; ``s3_endpoint`` if empty.
    s3_public_endpoint: str = ""
    s3_access_key: str = Field(default="", repr=False)
    s3_secret_key: str = Field(default="", repr=False)
    s3_bucket: str = Field(default="runstream", min_length=3)
    s3_region: str = Field(default="us-east-1", min_length=1)
    #: How long presigned requests of the store are valid, seconds; S3 allows a week.
    s3_url_expires_s: int = Field(default=3600, ge=1, le=7 * 86_400)
    #: How long an object is kept that no file and no artifact refers to, seconds; at least as long as an upload lasts.
    object_grace_s: float = Field(default=7 * 86_400.0, ge=2 * 3600)

    #: How long contributions to an artifact of several writers are kept after the last of them, if nobody finishes it,
    #: seconds.
    draft_kept_s: float = Field(default=90 * 86_400.0, ge=86_400)

    #: Interval between two collections of objects that nothing refers to, seconds; 0 for none.
    gc_interval_s: float = Field(default=86_400.0, ge=0)

    #: Whether the local stack copies the messages of all topics to the object store, so that topics can be trimmed.
    topic_archive: bool = False

    #: Interval between two beats of a writer, seconds.
    heartbeat_s: float = Field(default=15.0, gt=0)

    log_level: str = "INFO"

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of this process; raises SettingsError."""
        return read_settings(cls)

    @field_validator("kafka")
    @classmethod
    def _brokers(cls, value: str) -> str:
        if value and not all(_BROKER.fullmatch(broker.strip()) for broker in value.split(",")):
            raise ValueError("expected host:port, several separated by commas")
        return value

    @field_validator("postgres")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(_DATABASE_SCHEMES):
            raise ValueError("expected postgresql://user:password@host:port/database")
        return value

    @field_validator("s3_endpoint", "s3_public_endpoint")
    @classmethod
    def _store(cls, value: str) -> str:
        if value and not _STORE.fullmatch(value):
            raise ValueError("expected http(s)://host[:port]")
        return value.rstrip("/")

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in (levels := logging.getLevelNamesMapping()):
            raise ValueError(f"expected one of {', '.join(levels)}")
        return value.upper()

    @field_validator("frame_ancestors")
    @classmethod
    def _origins(cls, value: str) -> str:
        if any(not _ORIGIN.fullmatch(origin) for origin in value.split()):
            raise ValueError("expected origins such as https://hub.example, separated by spaces")
        return value

    @property
    def url(self) -> str:
        """The URL of the API for users, without a trailing slash."""
        return (self.public_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")


def read_settings(settings: type[AnySettings], **given: Any) -> AnySettings:
    """Return settings that are read from the environment, except those that are given.

    Raises SettingsError, whose lines name each variable that is missing or invalid, its value, and what is expected.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(settings, problem) for problem in error.errors())) from None


def _problem(settings: type[BaseSettings], problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    aliases = {str(field.validation_alias): field for field in settings.model_fields.values()}
    field = settings.model_fields.get(name)
    variable = f"{settings.model_config.get('env_prefix', '')}{name}".upper() if field else name
    field = field or aliases.get(name)
    if problem["type"] == "missing":
        purpose = f" ({field.description})" if field and field.description else ""
        return f"{variable} is not set: set it in the environment{purpose}"
    # A value without a representation is a secret.
    shown = f"={problem['input']!r}" if field is None or field.repr else ""
    return f"Invalid {variable}{shown}: {problem['msg'].removeprefix('Value error, ')}"
