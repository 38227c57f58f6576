"""The settings of a run with the names that W&B derives from the run."""

from __future__ import annotations

import os
from typing import Any

from pydantic import PrivateAttr

from runstream.settings import Settings


class RunSettings(Settings):
    """Settings in force, and the addresses and folders of their run."""

    _run: Any = PrivateAttr()

    @property
    def run_url(self) -> str | None:
        """URL of the run's page."""
        return _text(self._run.url)

    @property
    def project_url(self) -> str | None:
        """URL of the project's page."""
        return _text(self._run.project_url)

    @property
    def files_dir(self) -> str:
        """Folder for files of the run."""
        return str(self._run.dir)

    @property
    def sync_dir(self) -> str:
        """The run folder."""
        return os.path.dirname(self.files_dir)  # noqa: PTH120 - a string, as in W&B


def _text(url: Any) -> str | None:
    return None if url is None else str(url)


def settings_of(run: Any, settings: Settings) -> RunSettings:
    """Return a copy of the settings of a run, which also has the names that follow from the run."""
    copy = RunSettings.model_construct(settings.model_fields_set, **dict(settings))
    copy._run = run  # noqa: SLF001 - of this class
    return copy
