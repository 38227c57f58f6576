"""What is read back and changed through the server: ``Api``, and the classes that it returns."""

from __future__ import annotations

from runstream.public_api.api import Api
from runstream.public_api.artifacts import ArtifactCollection, ArtifactCollections, Artifacts, ArtifactType
from runstream.public_api.exceptions import IncompleteRunHistoryError, WandbApiFailedError
from runstream.public_api.files import File, Files
from runstream.public_api.projects import Project, User
from runstream.public_api.registries import Registry
from runstream.public_api.run import Run
from runstream.public_api.run_parts.exports import DownloadHistoryResult
from runstream.public_api.run_parts.run_pages import Sweep
from runstream.public_api.runs import Runs

__all__ = [
    "Api",
    "ArtifactCollection",
    "ArtifactCollections",
    "ArtifactType",
    "Artifacts",
    "DownloadHistoryResult",
    "File",
    "Files",
    "IncompleteRunHistoryError",
    "Project",
    "Registry",
    "Run",
    "Runs",
    "Sweep",
    "User",
    "WandbApiFailedError",
]
