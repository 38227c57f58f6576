"""The report that is printed at the end of a run."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Protocol

from runstream.run_folder.delivered import read_delivered
from runstream.spool.control_page import Word
from runstream.terminal.report_text import report_lines
from runstream.terminal.upload_progress import UploadProgress
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runstream.run_folder.folder import RunFolder
    from runstream.settings import Settings
    from runstream.terminal.terminal import Terminal
    from runstream.tracking.lifecycle.shipper_launcher import ShipperLauncher

#: Seconds of waiting after which a line is printed where lines cannot be replaced.
_WORTH_A_LINE_S = 5.0


class ReportedRun(Protocol):
    """The names of a run, which may become known only while it is running."""

    @property
    def name(self) -> str | None:
        """Display name."""

    @property
    def url(self) -> str | None:
        """URL of the run's page."""

    @property
    def project_url(self) -> str | None:
        """URL of the project's page."""


class FinalReport:
    """Waits for delivery and prints the end of a run."""

    def __init__(self, folder: RunFolder, run: ReportedRun, settings: Settings, terminal: Terminal) -> None:
        self._folder = folder
        self._run = run
        self._settings = settings
        self._terminal = terminal

    def conclude(
        self,
        delivery: ShipperLauncher | None,
        *,
        summary: Mapping[str, Any],
        dropped: int,
        stalled: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait for delivery, except of an offline run, then print the report; Ctrl-C ends the wait.

        ``stalled`` is called about once a second while nothing is delivered.
        """
        arrived = delivery is not None and self._wait(delivery, stalled)
        delivered = read_delivered(self._folder.ledger)
        if dropped and not delivered.lost:
            self._terminal.warn(f"{dropped} records were dropped, since they could not be written to disk")
        with self._terminal.block():
            self._report(summary, whole=arrived)
            self._addresses()
            if self._folder.gone:
                self._terminal.warn(gone_message(self._folder))
            elif delivery is None:
                self._terminal.detail(f"To deliver this offline run: runstream sync {shown_path(self._folder.path)}")
            elif not arrived:
                self._terminal.line(self._pending_message(delivery.pending))
            elif not delivered.lost:
                others = f"{delivered.artifact_files} artifact file(s) and {delivered.other_files} other file(s)"
                synced = f"Synced {delivered.records} record(s), {delivered.media_files} media file(s)"
                self._terminal.detail(f"{synced}, {others}")
            if delivered.lost:
                self._terminal.warn(f"Synced {delivered.records} record(s), {delivered.lost} lost: {delivered.losses}")
            self._terminal.detail(f"Find logs at: {shown_path(self._folder.logs, dotted=True)}")

    def _wait(self, delivery: ShipperLauncher, stalled: Callable[[], None]) -> bool:
        started, uploads = time.monotonic(), UploadProgress()

        def progress(pending: int) -> None:
            # In a file the line remains: it is only written if the wait is long.
            if self._terminal.replaces_lines or time.monotonic() - started > _WORTH_A_LINE_S:
                what = f"{pending} records" if pending else "the rest"
                left = uploads.text(*self._folder.uploads_left)
                also = f" and {left} to be uploaded" if left else ""
                self._terminal.progress(f"Waiting for {what} to be delivered{also} (Ctrl-C to leave)")

        try:
            return delivery.wait(self._settings.finish_timeout_s, progress, stalled)
        except KeyboardInterrupt:
            return False
        finally:
            self._terminal.end_progress()

    def _report(self, summary: Mapping[str, Any], *, whole: bool) -> None:
        """Print the summary, and the curves, which are known once everything is delivered."""
        keys: dict[str, Any] = {}
        if whole:
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                keys = values.load(self._folder.report.read_text())["keys"]
        media = tuple(_media(summary))
        history = [(key, line["points"]) for key, line in sorted(keys.items()) if not key.startswith(media)]
        # Histograms and the like, which have a _type, do not fit on a line.
        printed = {key: value for key, value in summary.items() if not (isinstance(value, dict) and "_type" in value)}
        shown = dict(_flatten(printed))
        # Keys that begin with an underscore describe the latest row.
        lines = report_lines(history, sorted(item for item in shown.items() if not item[0].startswith("_")))
        for line in ["", *lines, ""] if lines else ():
            self._terminal.detail(line)

    def _addresses(self) -> None:
        if self._settings.mode != "offline" and (url := self._run.url) is not None:
            self._terminal.line(f"🚀 View run {self._run.name} at: {url}")
            self._terminal.line(f"⭐️ View project at: {self._run.project_url}")

    def _pending_message(self, pending: int) -> str:
        what = f"{pending} records are" if pending else "The run is"
        files, size, _ = self._folder.uploads_left
        left = f", and {UploadProgress().text(files, size, 0)} not uploaded" if files else ""
        is_stopped = self._folder.control[Word.DELIVERY_STOPPED]
        how = (
            "delivery was stopped by `runstream shippers stop`"
            if is_stopped
            else "delivery continues in the background"
        )
        return (
            f"{what} not delivered yet{left}; {how}. To deliver by hand: runstream sync {shown_path(self._folder.path)}"
        )


def gone_message(folder: RunFolder) -> str:
    """Return the warning that a run folder is not where it was."""
    return (
        f"The run folder {folder.path} was deleted or moved while it was in use: records that were not delivered are "
        "lost, unless it was moved: then deliver them by `runstream sync NEW_PATH`"
    )


def _media(summary: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield what the keys of the parts of media begin with, such as the width of an image."""
    for key, value in summary.items():
        if isinstance(value, dict):
            yield from [f"{prefix}{key}."] if "_type" in value else _media(value, f"{prefix}{key}.")


def _flatten(summary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in summary.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def shown_path(path: Path, *, dotted: bool = False) -> str:
    """Return a path relative to the current folder, if it exists; with ``./`` first if ``dotted``."""
    try:
        relative = os.path.relpath(path)
    except OSError:
        return os.fspath(path)
    return relative if not dotted or relative.startswith(os.pardir) else os.path.join(os.curdir, relative)  # noqa: PTH118
