"""The command ``import`` reports what was imported, however it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from runstream.cli.main import create_app
from runstream.exceptions import CommError, UsageError
from runstream.importing.session import Importer
from tests.unit.importing.imports import DATA, folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


def run(*arguments: object) -> Result:
    """Run ``runstream import ARGUMENTS``."""
    return CliRunner().invoke(create_app(), ["import", *map(str, arguments)])


def test_a_dry_run_reads_everything_and_writes_nothing(tmp_path: Path) -> None:
    """Counts are those of an import; the exit status is 0, and no folder is made."""
    result = run("wandb", DATA / "wandb", "--dry-run", "--dir", tmp_path, "--verbose")

    assert result.exit_code in {0, 3}  # 3 where the file of an artifact is on no machine but the one that recorded it
    assert "digits/kinds: would be imported: 3 config values, 2 metric definitions, 12 rows, 10 console lines" in (
        result.stdout
    )
    assert "4 run(s): 4 would be imported" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [CommError("no server any more"), KeyboardInterrupt()])
def test_an_import_that_ends_early_reports_what_was_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """The report has the runs until then, and the next import goes on with the others."""
    whole = Importer.run

    def failing(self: Importer, found: Any) -> Iterator[Any]:
        reports = whole(self, found)
        yield next(reports)
        raise error

    arguments = ("wandb", DATA / "wandb", "--offline", "--dir", tmp_path, "--json")
    with monkeypatch.context() as patched:
        patched.setattr(Importer, "run", failing)
        result = run(*arguments)

    assert result.exit_code in {1, 130}
    first, *_ = result.stdout.splitlines()
    assert [one["status"] for one in json.loads(first)["runs"]] == ["recorded"]
    assert "repeat the command to go on" in result.output
    assert len(folders(tmp_path)) == 1
    again = run(*arguments)
    statuses = [one["status"] for one in json.loads(again.stdout.splitlines()[0])["runs"]]
    assert statuses == ["already imported", "recorded", "recorded", "recorded"]


@pytest.mark.parametrize("option", ["--project", "--entity"])
def test_names_that_are_invalid_are_refused(tmp_path: Path, option: str) -> None:
    """A project or entity with a slash is an error before anything is read."""
    result = run("wandb", DATA / "wandb", option, "a/b", "--offline", "--dir", tmp_path)

    assert isinstance(result.exception, UsageError)
    assert "remove '/'" in str(result.exception)


def test_a_source_without_runs_is_an_error(tmp_path: Path) -> None:
    """The exit status is 1, and the report has the reason."""
    result = run("wandb", tmp_path, "--offline", "--dir", tmp_path)

    assert result.exit_code == 1
    assert f"{tmp_path}: not imported (there is no .wandb file)" in result.stdout
