"""Migrations: numbered SQL files, one schema per consumer. Each file runs once, in order, all or none.

``runtime.migration`` records what ran, with a checksum. A database with more migrations than this program has, or with
a different text under the same number, is refused, since its tables are not the expected ones.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from runstream_consumers.runtime.exceptions import MigrationFault
from runstream_consumers.runtime.plugin import Connection, Consumer

log = logging.getLogger(__name__)

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")

#: An arbitrary number that other programs of the same database are unlikely to lock.
_LOCK = 0x52554E53
_MIGRATION_SECONDS = 600.0

_BOOTSTRAP = """
create schema if not exists runtime;
create table if not exists runtime.migration (
    schema text not null,
    version integer not null,
    name text not null,
    checksum text not null,
    applied timestamptz not null default now(),
    primary key (schema, version)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of a consumer's migrations."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


async def migrate_all(connection: Connection, consumer: Consumer) -> None:
    """Bring the runtime's tables and a consumer's to their newest version."""
    for schema, folder in (
        ("runtime", files("runstream_consumers.runtime.postgres") / "migrations"),
        (consumer.name, consumer.migrations),
    ):
        for migration in await migrate(connection, schema, folder):
            log.info("schema %s: applied migration %04d %s", schema, migration.version, migration.name)


async def migrate(connection: Connection, schema: str, folder: Traversable) -> Sequence[Migration]:
    """Bring a consumer's schema to the newest version in one transaction; return the migrations that ran.

    Concurrent callers wait for each other. Raises MigrationFault if the database does not match the files.
    """
    if not _SCHEMA.fullmatch(schema):
        raise MigrationFault(f"{schema!r} is not a valid schema name: use lower-case letters, digits and _")
    migrations = read_migrations(folder)
    async with connection.transaction():
        await connection.execute(
            f"set local lock_timeout = '{_MIGRATION_SECONDS:.0f}s';"
            f" set local statement_timeout = '{_MIGRATION_SECONDS:.0f}s'"
        )
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK, timeout=_MIGRATION_SECONDS)
        await connection.execute(
            f'{_BOOTSTRAP} create schema if not exists "{schema}"; set local search_path = "{schema}"'
        )
        rows = await connection.fetch("select version, checksum from runtime.migration where schema = $1", schema)
        missing = pending(schema, migrations, {row["version"]: row["checksum"] for row in rows})
        for migration in missing:
            await connection.execute(migration.text, timeout=_MIGRATION_SECONDS)
            await connection.execute(
                "insert into runtime.migration (schema, version, name, checksum) values ($1, $2, $3, $4)",
                schema,
                migration.version,
                migration.name,
                migration.checksum,
            )
    return missing


def read_migrations(folder: Traversable) -> Sequence[Migration]:
    """Return the migrations of a folder in order; raises MigrationFault unless numbered from 1 without gaps."""
    found = []
    for file in folder.iterdir():
        if match := _FILE.fullmatch(file.name):
            text = file.read_text(encoding="utf-8")
            found.append(Migration(version=int(match[1]), name=match[2], text=text))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationFault(f"The files of {folder} must be numbered 0001, 0002, … without gaps")
    return found


def pending(schema: str, migrations: Sequence[Migration], applied: Mapping[int, str]) -> Sequence[Migration]:
    """Return the migrations that have not run, given the checksums of those that have, by version.

    Raises MigrationFault if the database is newer, or a file was changed after it ran.
    """
    known = {migration.version: migration for migration in migrations}
    for version, checksum in sorted(applied.items()):
        if version not in known:
            raise MigrationFault(
                f"Schema {schema} is at version {version}, this program knows {len(known)}: run a newer Runstream"
            )
        if known[version].checksum != checksum:
            raise MigrationFault(
                f"Migration {version:04} of schema {schema} changed after it ran: restore the file and add a new one"
            )
    return [migration for migration in migrations if migration.version not in applied]
