"""``stack.json``: what a data folder keeps for good: ports, secrets, the shape of the topics, and versions."""

from __future__ import annotations

import getpass
import json
import re
import secrets
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runstream_deploy.exceptions import DataRefused
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.jars import KAFKA_VERSION
from runstream_deploy.stack.data_folder import DataFolder, write_private
from runstream_schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The form of the file. A change of form adds a step to ``MIGRATIONS``.
VERSION = 1
PORTS = ("kafka", "controller", "postgres", "s3", "api")

#: From a version to the next: takes the parsed file, returns it in the next form.
Migrations = dict[int, "Callable[[dict[str, Any]], dict[str, Any]]"]
MIGRATIONS: Migrations = {}


def _secret() -> str:
    return secrets.token_urlsafe(24)


class Secrets(BaseModel):
    """What lets one process of the stack speak to another; made at random, never shown."""

    model_config = ConfigDict(frozen=True)

    postgres: str = Field(default_factory=_secret, repr=False)
    s3_access_key: str = Field(default_factory=lambda: secrets.token_hex(10), repr=False)
    s3_secret_key: str = Field(default_factory=_secret, repr=False)
    token: str = Field(default_factory=_secret, repr=False)
    tick_key: str = Field(default_factory=lambda: secrets.token_hex(32), repr=False)


class StackFile(BaseModel):
    """The parsed file."""

    model_config = ConfigDict(frozen=True)

    version: int = VERSION
    #: Releases that last wrote the data.
    runstream: str
    kafka: str
    prefix: str
    partitions: int
    entity: str
    ports: dict[str, int]
    secrets: Secrets = Field(default_factory=Secrets)


def open_stack_file(folder: DataFolder, environment: Mapping[str, str]) -> StackFile:
    """Read ``stack.json``, or make it from the settings where the folder is new; migrate it forward.

    Raises:
        DataRefused: it is damaged, or was written by a newer release.
    """
    stack = parse(folder.stack.read_text(), str(folder.stack)) if folder.stack.exists() else _new(environment)
    stack = stack.model_copy(
        update={"ports": _complete(stack.ports), "runstream": version("runstream"), "kafka": KAFKA_VERSION}
    )
    write_private(folder.stack, stack.model_dump_json(indent=2))
    return stack


def parse(text: str, name: str, migrations: Migrations = MIGRATIONS, newest: int = VERSION) -> StackFile:
    """Return the file's content in the newest form.

    Raises:
        DataRefused: it is damaged, or was written by a newer release.
    """
    try:
        content = json.loads(text)
        found = int(content["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataRefused(f"{name} is damaged ({error}); restore it from a backup") from error
    if found > newest:
        raise DataRefused(
            f"{name} is of version {found} and this release knows {newest}: a newer Runstream "
            f"({content.get('runstream', 'unknown')}) wrote it; install that release or a later one"
        )
    for step in range(found, newest):
        content = {**migrations[step](content), "version": step + 1}
    try:
        stack = StackFile.model_validate(content)
    except ValidationError as error:
        raise DataRefused(
            f"{name} is damaged ({error.error_count()} wrong entries); restore it from a backup"
        ) from error
    if release(stack.kafka) > release(KAFKA_VERSION):
        raise DataRefused(
            f"the data was last used by Kafka {stack.kafka} and this release brings {KAFKA_VERSION}, "
            "which cannot read what a newer one wrote; install the newer Runstream"
        )
    return stack


def release(text: str) -> tuple[int, ...]:
    """Return a version as numbers that compare: (4, 3, 0) for "4.3.0"."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _new(environment: Mapping[str, str]) -> StackFile:
    return StackFile(
        runstream=version("runstream"),
        kafka=KAFKA_VERSION,
        prefix=environment.get("RUNSTREAM_PREFIX") or DEFAULT_PREFIX,
        partitions=int(environment.get("RUNSTREAM_PARTITIONS") or DEFAULT_PARTITIONS),
        entity=environment.get("RUNSTREAM_ENTITY") or _user(),
        ports={},
    )


def _user() -> str:
    """Return the user's name with nothing in it that a path or an address would mind."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = ""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "local"


def _complete(ports: Mapping[str, int]) -> dict[str, int]:
    chosen = dict(ports)
    for name in PORTS:
        if name not in chosen:
            chosen[name] = choose_port(set(chosen.values()))
    return chosen
