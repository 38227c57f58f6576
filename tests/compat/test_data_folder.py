"""The data folder of a stack that the version before the typed headers ran."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.stack_file import open_stack_file
from tests.contract.test_vectors import known

FIXTURES = Path(__file__).parent / "fixtures" / "data_folder"


def test_an_old_stack_file_keeps_its_settings(tmp_path: Path) -> None:
    """Prefix, partitions, entity, ports and secrets of an old stack.json stay in force."""
    folder = DataFolder(tmp_path)
    shutil.copy(FIXTURES / "stack.json", folder.stack)
    before = json.loads((FIXTURES / "stack.json").read_text(encoding="utf-8"))
    stack = open_stack_file(folder, {})
    assert stack.secrets.model_dump() == before["secrets"]
    assert known(stack.ports, before["ports"]) == before["ports"]
    assert (stack.prefix, stack.partitions, stack.entity) == (before["prefix"], before["partitions"], before["entity"])
