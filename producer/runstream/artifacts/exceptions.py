"""Errors of artifacts, with the names and the builtin classes that they have in W&B."""

from __future__ import annotations

from runstream.exceptions import Error


class ArtifactStatusError(AttributeError):
    """The artifact is not in the state that the call needs."""


class ArtifactNotLoggedError(ArtifactStatusError):
    """What only a version on the server has: the artifact is not logged, or not stored yet."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Artifact.{what} is not available before the artifact is logged and stored: "
            "call run.log_artifact(artifact), then artifact.wait(); an offline run has no versions"
        )


class ArtifactFinalizedError(ArtifactStatusError):
    """A change of the contents of a logged artifact."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(
            f"Artifact.{what}() cannot change artifact {name!r}, which is logged: "
            "call artifact.new_draft() or create another Artifact, and log that as a new version"
        )


class ArtifactError(Error, ValueError):
    """The server refused a version, or its contents could not be stored."""


class WaitTimeoutError(Error):
    """The version was not stored within the timeout of ``wait()``; it is still being delivered."""
