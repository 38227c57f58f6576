"""The methods of a run of the public API that change it: each publishes a command."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol, Self

from runstream.exceptions import CommError
from runstream.public_api.run_parts.artifacts import RunArtifacts
from runstream.public_api.run_parts.document import RunDocument
from runstream.public_api.run_parts.summary import RunSummary, changes
from runstream.run_names import generate_run_id, generated_name, validate_tags
from runstream.server.api_connection import ApiConnection, NotFoundError
from runstream.server.client import ServerError
from runstream.server.settling import until

#: States in which more is expected of a run.
_OPEN = frozenset({"pending", "running", "preempting"})
_POLL_S = 1.0
#: How long a change may take until it is stored, seconds; below the timeout of a request.
_STORED_WITHIN_S = 20.0


class Place(Protocol):
    """What a run is created in: ``runstream.Api``."""

    @property
    def connection(self) -> ApiConnection:
        """The connection to the server."""

    def place(self, project: str | None = None, entity: str | None = None) -> tuple[str, str]:
        """Return entity and project, by default its own."""


class RunChanges(RunDocument, RunArtifacts):
    """Creates, changes and deletes a run."""

    @classmethod
    def create(
        cls,
        api: Place,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        state: Literal["running", "pending"] = "running",
    ) -> Self:
        """Create a run that no process writes to yet, and return it.

        ``init(id=…, resume="allow")`` or ``resume="must"`` takes the run over from step 0. Until then it keeps its
        state, and is never regarded as crashed.

        Args:
            api: The server, and the default entity and project.
            run_id: The id; random by default.
            project: The project; that of the Api by default.
            entity: The entity; that of the Api by default.
            state: ``"pending"`` for a run that begins later, ``"running"`` for one that begins now.

        Raises:
            UsageError: The run exists, or a name is not valid.
            CommError: The server does not answer.
        """
        place = api.place(project, entity)
        run = cls(api.connection, *place, run_id or generate_run_id())
        run._command("POST", {"state": state, "generated_name": generated_name(run.id)})
        return run

    @property
    def summary(self) -> RunSummary:
        """The summary, nested as it was logged: a dict that can be changed, and published by its ``update()``."""
        if self._summary is None:
            self._summary = RunSummary(self.load()["summary"], self._publish_summary)
        return self._summary

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """The summary as a plain dict."""
        return copy.deepcopy(dict(self.summary))

    def update(self) -> None:
        """Publish the changes of name, notes, tags, group, job type, config and summary; return once they are stored.

        Raises:
            DataError: A value of the config or the summary cannot be recorded.
            ValueError: A tag is not valid.
            CommError: The server does not answer.
        """
        changed = self._changed_attributes()
        if "tags" in changed:
            changed["tags"] = list(validate_tags(changed["tags"]))
        if self._config is not None:
            now, before = self._config
            changed["config"] = changes(before, now)
        summary = self._summary
        if summary is not None:
            changed["summary"] = summary.changes()
        self._change(changed)
        self._changed, self._config = {}, None
        self._keep_summary(summary)

    save = update

    def _publish_summary(self, summary: RunSummary) -> None:
        with self._kept_changes():
            self._change({"summary": summary.changes()})
        self._keep_summary(summary)

    def _keep_summary(self, summary: RunSummary | None) -> None:
        self._summary = summary
        if summary is not None:
            summary.refresh(self.load()["summary"])

    def _changed_attributes(self) -> dict[str, Any]:
        stored = self.load()
        return {name: value for name, value in self._changed.items() if value != stored[name]}

    @contextmanager
    def _kept_changes(self) -> Iterator[None]:
        """Keep what was changed and is not published, although the document is read again."""
        kept = self._changed_attributes(), self._config, self._summary
        yield
        self._changed, self._config, self._summary = kept

    def _change(self, changed: dict[str, Any]) -> None:
        wanted = {name: value for name, value in changed.items() if value != {"set": {}, "remove": []}}
        if wanted:
            self._command("PATCH", wanted)

    def update_state(self, state: Literal["pending", "failed"]) -> bool:
        """Set the state of the run, and return True once it is stored.

        It holds against all processes that have written to the run so far; only a new one changes it again.

        Args:
            state: ``"pending"``, from running, failed, crashed or preempted, to queue the run again; or ``"failed"``,
                from pending or running, to mark a run that was lost.

        Raises:
            UsageError: The state of the run does not allow it, or it is another state. A :class:`runstream.Error`.
            CommError: The server does not answer.
        """
        with self._kept_changes():
            self._command("POST", {"state": state}, "/state")
        return True

    def delete(self, delete_artifacts: bool = False) -> None:  # noqa: FBT001, FBT002  # W&B's signature
        """Delete the run with everything that it has logged, for good; return once nothing of it is shown.

        What its processes send later is dropped, and its id cannot be used again.

        Args:
            delete_artifacts: Also delete the versions of artifacts that the run has logged, with their aliases.

        Raises:
            NotFoundError: The server does not know the run, or it was deleted.
            CommError: The server does not answer.
        """
        if delete_artifacts:
            for artifact in list(self.logged_artifacts()):
                artifact.delete(delete_aliases=True)
        self._connection.command(self._address, None, "DELETE")
        with suppress(NotFoundError):
            self._get(wait_s=_STORED_WITHIN_S)
        until(self._is_gone, f"delete the run {self.storage_id}")

    def _is_gone(self) -> bool:
        try:
            self._get()
        except NotFoundError:
            return True
        return False

    def stop(self) -> None:
        """Request that the run stops: its processes see it in ``run.should_stop`` within a second or two.

        Returns once the request is stored.

        Raises:
            UsageError: No process of the run is running.
        """
        self._connection.command(f"{self._address}/stop")

    def wait_until_finished(self) -> None:
        """Wait until the run has ended, in any way; the properties are those of its end."""
        while self.load(force=True)["state"] in _OPEN:
            time.sleep(_POLL_S)

    def _command(self, method: str, body: dict[str, Any], part: str = "") -> None:
        """Send a command, and read the document once the command is stored."""
        self._connection.command(self._address + part, body, method)
        try:
            self._keep(self._get(wait_s=_STORED_WITHIN_S))
        except ServerError as error:
            if error.code != "behind":
                raise
            raise CommError(f"The change of {self.storage_id} is published, but not stored yet: {error}") from error
