"""Keys, named queries, text for Postgres, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from pydantic import ValidationError

from runstream_consumers.liveness.consumer import LivenessSettings
from runstream_consumers.runtime.postgres.queries import load_queries
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_consumers.runtime.postgres.store import TOPIC_NUMBERS, to_postgres_text
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from pathlib import Path


def test_the_key_of_a_run_never_changes() -> None:
    """The key is a value stored in tables: this one was computed by hand from the definition."""
    run = RunPath(entity="team", project="digits", run_id="abc")
    assert run_key(run) == UUID("9008ebb5-29ec-e5b2-a7eb-6ff2524717ca")


def test_names_that_join_to_the_same_text_have_different_keys() -> None:
    """The separator does not occur in names."""
    assert run_key(RunPath(entity="a", project="b/c", run_id="d")) != run_key(
        RunPath(entity="a/b", project="c", run_id="d")
    )
    assert writer_key(bytes(16)) == UUID(int=0)


def test_every_topic_has_a_number() -> None:
    """A topic without a number could not be counted."""
    assert TOPIC_NUMBERS.keys() == set(Topic)
    assert len(set(TOPIC_NUMBERS.values())) == len(Topic)


def test_named_queries_are_found_by_name(tmp_path: Path) -> None:
    """A statement extends from its name to the next, without its semicolon."""
    file = tmp_path / "queries.sql"
    file.write_text("-- name: one\nselect 1;\n\n-- name: two\n-- a comment\nselect\n  2\n;\n")
    assert load_queries(file) == {"one": "select 1", "two": "-- a comment\nselect\n  2"}


def test_a_name_used_twice_is_an_error(tmp_path: Path) -> None:
    """Two queries with one name are refused."""
    file = tmp_path / "queries.sql"
    file.write_text("-- name: one\nselect 1;\n-- name: one\nselect 2;\n")
    with pytest.raises(ValueError, match="two queries are named one"):
        load_queries(file)


def test_text_is_converted_for_postgres() -> None:
    """NUL and lone surrogates are escaped, and long text is shortened."""
    assert to_postgres_text("a\0b\ud800c") == "a\\x00b\\ud800c"
    assert len(to_postgres_text("x" * 10_000)) == 2000


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables have the names of the fields with a prefix; secrets are not represented."""
    monkeypatch.setenv("RUNSTREAM_KAFKA", "broker:9092")
    monkeypatch.setenv("RUNSTREAM_POSTGRES", "postgresql://user:secret@host/db")
    monkeypatch.setenv("RUNSTREAM_TOKEN", "")
    settings = ServerSettings.from_environment()
    assert (settings.kafka, settings.prefix, settings.partitions, settings.token) == ("broker:9092", "runstream", 8, "")
    assert "secret" not in repr(settings)


def test_a_tick_key_that_is_not_hexadecimal_is_refused() -> None:
    """A key that cannot be read is found at the start, not at the first tick."""
    with pytest.raises(ValidationError, match="tick_key"):
        LivenessSettings(tick_key="xyz")
