"""The data folder of a stack of the version before the typed headers."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from runstream_consumers.alerts.consumer import AlertsConsumer
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.summary.consumer import SummaryConsumer
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import StackSettings
from runstream_deploy.stack.stack_file import open_stack_file
from tests.conftest import run_aside
from tests.contract.test_vectors import known
from tests.integration.api.serving import serving

if TYPE_CHECKING:
    from runstream_deploy.processes.reaper import Reaper

FIXTURES = Path(__file__).parent / "fixtures" / "data_folder"


def test_old_tables_are_migrated_and_read(
    broker: str, prefix: str, database: str, reaper: Reaper, tmp_path: Path
) -> None:
    """After today's migrations, the API serves every answer that the old one served from the same tables."""
    run_aside(_restore(database))
    answers: dict[str, Any] = json.loads((FIXTURES / "answers.json").read_text(encoding="utf-8"))
    with serving(broker, prefix, database, reaper, tmp_path, consumers=()) as served:
        for path, answer in answers.items():
            found = served.ask(f"/api/v1/runs{path}")
            assert found.status_code == 200, found.text
            assert known(found.json(), answer) == answer, path


def test_an_old_stack_file_keeps_its_settings(tmp_path: Path) -> None:
    """Prefix, partitions, entity, ports and secrets of an old stack.json still apply."""
    folder = DataFolder(tmp_path)
    shutil.copy(FIXTURES / "stack.json", folder.stack)
    before = json.loads((FIXTURES / "stack.json").read_text(encoding="utf-8"))
    stack = open_stack_file(folder, StackSettings())
    assert stack.secrets.model_dump() == before["secrets"]
    assert known(stack.ports, before["ports"]) == before["ports"]
    assert (stack.prefix, stack.partitions, stack.entity) == (before["prefix"], before["partitions"], before["entity"])


async def _restore(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(gzip.decompress((FIXTURES / "database.sql.gz").read_bytes()).decode())
    finally:
        await connection.close()
    for consumer in (HistoryConsumer(), SummaryConsumer(), LivenessConsumer(), AlertsConsumer()):
        await prepare_tables(consumer, database)
