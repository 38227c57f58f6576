"""Which migrations run, and which databases are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_consumers.runtime.exceptions import MigrationFault
from runstream_consumers.runtime.postgres.migrate import Migration, pending, read_migrations

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Migration(version=1, name="first", text="create table a ();")
SECOND = Migration(version=2, name="second", text="create table b ();")


def test_migrations_that_have_not_run_are_pending() -> None:
    """Migrations that ran with the same text are not pending."""
    assert pending("s", [FIRST, SECOND], {}) == [FIRST, SECOND]
    assert pending("s", [FIRST, SECOND], {1: FIRST.checksum}) == [SECOND]
    assert pending("s", [FIRST, SECOND], {1: FIRST.checksum, 2: SECOND.checksum}) == []


def test_a_newer_database_is_refused() -> None:
    """An unknown version is an error that contains what to do."""
    with pytest.raises(MigrationFault, match="at version 2, this program knows 1: run a newer"):
        pending("s", [FIRST], {1: FIRST.checksum, 2: SECOND.checksum})


def test_an_edited_migration_is_refused() -> None:
    """A file whose text changed after it ran is an error that names it."""
    with pytest.raises(MigrationFault, match="Migration 0001 of schema s changed"):
        pending("s", [FIRST], {1: SECOND.checksum})


def test_files_are_read_in_order_of_their_number(tmp_path: Path) -> None:
    """Only files of the form NNNN_name.sql count."""
    (tmp_path / "0002_second.sql").write_text(SECOND.text)
    (tmp_path / "0001_first.sql").write_text(FIRST.text)
    (tmp_path / "notes.txt").write_text("no migration")
    assert read_migrations(tmp_path) == [FIRST, SECOND]


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    """A missing number is an error."""
    (tmp_path / "0002_second.sql").write_text(SECOND.text)
    with pytest.raises(MigrationFault, match="without gaps"):
        read_migrations(tmp_path)
