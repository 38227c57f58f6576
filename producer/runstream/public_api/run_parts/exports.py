"""Downloads of the Parquet files that hold the archived rows of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.exceptions import CommError
from runstream.public_api.exceptions import IncompleteRunHistoryError, WandbApiFailedError
from runstream.public_api.run_parts.document import RunDocument
from runstream.server.api_connection import NotFoundError

if TYPE_CHECKING:
    from runstream.server.client import ServerClient


@dataclass(frozen=True, slots=True)
class DownloadHistoryResult:
    """What was downloaded of a run."""

    #: The files, by their first step.
    paths: list[Path]
    #: Whether the run has rows that are not in the files.
    contains_live_data: bool
    #: Why files could not be downloaded, by their paths; None if all were.
    errors: dict[Path, str] | None = None


class RunExports(RunDocument):
    """Downloads the history of a run."""

    def download_history_exports(
        self,
        download_dir: str | os.PathLike[str],
        require_complete_history: bool = True,  # noqa: FBT001, FBT002  # W&B's signature
    ) -> DownloadHistoryResult:
        """Download the Parquet files of the run's history; docs/archive.md describes their columns.

        Args:
            download_dir: The folder to download to; it is created. Files of the same names are replaced.
            require_complete_history: Raise an error if the run has rows that are not in Parquet files yet: those of the
                last minutes (ten by default).

        Raises:
            IncompleteRunHistoryError: The run has such rows, and the complete history is required.
            WandbApiFailedError: The server does not answer, or does not know the run.
        """
        try:
            found = self._get("exports")
        except (CommError, NotFoundError) as error:
            raise WandbApiFailedError(f"Cannot export the history of {self.storage_id}: {error}") from error
        if require_complete_history and not found["complete"]:
            raise IncompleteRunHistoryError(
                f"Rows of {self.storage_id} are not in Parquet files yet: try again some minutes after its last row, "
                "or set require_complete_history=False"
            )
        folder = Path(download_dir)
        folder.mkdir(parents=True, exist_ok=True)
        errors: dict[Path, str] = {}
        paths = []
        for item in found["files"]:
            path = folder / item["name"]
            try:
                _download(self._connection.client, item["url"], path)
                paths.append(path)
            except CommError as error:
                errors[path] = str(error)
        return DownloadHistoryResult(paths, not found["complete"], errors or None)


def _download(client: ServerClient, url: str, path: Path) -> None:
    """Write a file, which is complete or does not exist."""
    part = path.with_name(f"{path.name}.part")
    try:
        with client.stream(url) as response, part.open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
