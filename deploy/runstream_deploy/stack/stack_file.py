"""``stack.json``: the permanent settings of a data folder: ports, secrets, topics, and versions."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runstream.run_folder.json_files import write_file
from runstream_deploy.exceptions import DataFolderError
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.jars import KAFKA_VERSION
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import StackSettings

#: The version of the file format. A change of the format adds a step to ``MIGRATIONS``.
VERSION = 1
PORTS = ("kafka", "controller", "postgres", "s3", "api")

#: By version: a function from the parsed file to its content in the next version.
Migrations = dict[int, "Callable[[dict[str, Any]], dict[str, Any]]"]
MIGRATIONS: Migrations = {}


def _secret() -> str:
    return secrets.token_urlsafe(24)


class Secrets(BaseModel):
    """The credentials between the processes of the stack; random, never displayed."""

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
    #: The releases that last wrote the data.
    runstream: str
    kafka: str
    prefix: str
    partitions: int
    entity: str
    ports: dict[str, int]
    secrets: Secrets = Field(default_factory=Secrets)


def open_stack_file(folder: DataFolder, settings: StackSettings) -> StackFile:
    """Read and migrate ``stack.json``, or create it from the settings if the folder is new.

    DataFolderError is raised if it is damaged, or was written by a newer release.
    """
    releases: dict[str, Any] = {"runstream": version("runstream"), "kafka": KAFKA_VERSION}
    if folder.stack.exists():
        stack = parse(folder.stack.read_text(), str(folder.stack))
    else:
        fixed = settings.model_dump(include={"prefix", "partitions", "entity"})
        stack = StackFile(**fixed, **releases, ports={})
    stack = stack.model_copy(update={"ports": _assign_ports(stack.ports), **releases})
    write_file(folder.stack, stack.model_dump_json(indent=2).encode(), durable=True)
    return stack


def parse(text: str, name: str, migrations: Migrations = MIGRATIONS, newest: int = VERSION) -> StackFile:
    """Return the content of the file, migrated to the newest version; raise DataFolderError if that is impossible."""
    try:
        content = json.loads(text)
        found = int(content["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataFolderError(f"{name} is damaged ({error}); restore it from a backup") from error
    if found > newest:
        raise DataFolderError(
            f"{name} has version {found}, written by Runstream {content.get('runstream', '(unknown)')}; this release "
            f"reads up to version {newest}: install that release or a later one"
        )
    for step in range(found, newest):
        content = {**migrations[step](content), "version": step + 1}
    try:
        stack = StackFile.model_validate(content)
    except ValidationError as error:
        problem = f"{error.error_count()} invalid entries"
        raise DataFolderError(f"{name} is damaged ({problem}); restore it from a backup") from error
    if release(stack.kafka) > release(KAFKA_VERSION):
        raise DataFolderError(
            f"The data was written by Kafka {stack.kafka}, which Kafka {KAFKA_VERSION} of this release cannot read: "
            "install the newer Runstream release"
        )
    return stack


def release(text: str) -> tuple[int, ...]:
    """Return a version as comparable numbers: (4, 3, 0) for "4.3.0"."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _assign_ports(ports: Mapping[str, int]) -> dict[str, int]:
    chosen = dict(ports)
    for name in PORTS:
        if name not in chosen:
            chosen[name] = choose_port(set(chosen.values()))
    return chosen
