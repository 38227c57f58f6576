"""Offline runs whose media are checked as they are recorded: rows in the spool, files in the run folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import runstream
from runstream.spool.format import TopicCode
from tests.unit.producer.spooled import of_topic, primary

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Recorded:
    """What a run has recorded, after its end."""

    run: Any
    rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)

    def content_now(self, index: int) -> bytes:
        """Return what is staged for a file of a run that goes on."""
        self.files = of_topic(primary(Path(self.run.sync_dir).parents[1]), TopicCode.FILE)
        return self.content(index)

    def content(self, index: int = 0) -> bytes:
        """Return what is staged for a file."""
        folder = Path(self.run.sync_dir)
        found: bytes = (folder / self.files[index]["staged"]).read_bytes()
        return found


@contextmanager
def recorded_run(tmp_path: Path, **settings: Any) -> Iterator[Recorded]:
    """Yield a run to log to; what it recorded is set when the block ends."""
    arguments = {"silent": True, "console": "off", **settings}
    run = runstream.init(project="demo", mode="offline", dir=tmp_path, settings=arguments)
    recorded = Recorded(run)
    try:
        yield recorded
    finally:
        run.finish()
    recorded.rows = of_topic(primary(tmp_path), TopicCode.LOG)
    recorded.files = of_topic(primary(tmp_path), TopicCode.FILE)
    recorded.artifacts = of_topic(primary(tmp_path), TopicCode.ARTIFACT)
