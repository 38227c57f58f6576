"""An offline run in the folder of the test, and what it recorded of artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runstream
from runstream.spool.format import TopicCode
from tests.unit.producer.spooled import of_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream import Run

Recorded = list[tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the folder of the test as the current one, and for the cache; no server is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNSTREAM_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("RUNSTREAM_URL", "RUNSTREAM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return an offline run with the id r1."""
    with runstream.init(
        project="p", id="r1", group="grp", mode="offline", dir=tmp_path, settings={"silent": True}
    ) as run:
        yield run


@pytest.fixture
def recorded(run: Run) -> Callable[[], Recorded]:
    """Return what the run recorded of artifacts: each record, and the entries of the description that it names."""

    def found() -> Recorded:
        folder = Path(run.dir).parent
        (writer,) = (folder / "spool").iterdir()
        records: list[dict[str, Any]] = of_topic(writer, TopicCode.ARTIFACT)
        return [(record, _entries(folder, record)) for record in records]

    return found


def _entries(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    if "local" not in record:
        return {}
    entries: dict[str, Any] = json.loads((folder / "artifacts" / f"{record['local']}.json").read_text())["entries"]
    for entry in entries.values():
        if "staged" in entry:
            entry["content"] = (folder / entry["staged"]).read_bytes()
    return entries
