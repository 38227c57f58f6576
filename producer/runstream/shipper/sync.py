"""``runstream sync``: deliver recorded runs in the foreground, with the shipper.

No beats are sent: a run that was recorded offline goes from unknown to ended in one step. A run whose training process
is still running is delivered as far as it is recorded, and left open.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from rich.console import Console

from runstream.run_folder.delivered import NOTHING_DELIVERED, Delivered, read_delivered
from runstream.run_folder.folder import RunFolder, UnusableRunError, lock
from runstream.server.discovery import VARIABLE, Server, check_url, same_origin
from runstream.settings import checked_settings, server_environ
from runstream.shipper.background import BackgroundTasks
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.shipper import Shipper, ShipperError, ShipperResult
from runstream.shipper.uploads.record_uploads import Remaining
from runstream.terminal.upload_progress import UploadProgress

#: Seconds without any acknowledgement after which delivery of a folder stops, although the broker answers.
STALLED_S = 120.0
#: Exit status if everything is delivered except records that are lost.
RECORDS_LOST = 3
#: The same while there is no connection at all.
NO_ANSWER_S = 10.0
_WATCH_S = 0.2


class State(Enum):
    """The result for a folder."""

    DELIVERED = "delivered"
    ALREADY_COMPLETE = "already complete"
    #: The training process is still running; everything recorded so far is delivered.
    OPEN = "delivered so far; the run continues"
    #: A shipper is delivering it.
    BUSY = "is being delivered by its own shipper"
    #: Not everything could be delivered.
    FAILED = "not delivered"
    INTERRUPTED = "interrupted"

    @property
    def good(self) -> bool:
        """Whether no further action is needed."""
        return self not in {State.FAILED, State.INTERRUPTED}


@dataclass(frozen=True, slots=True)
class Result:
    """The result for a folder: how many records were acknowledged, and the problem if any."""

    path: Path
    state: State
    records: int = 0
    problem: str = ""
    #: What of the folder was lost, in this delivery or an earlier one.
    delivered: Delivered = NOTHING_DELIVERED


def sync(paths: Sequence[str | Path], *, console: Console | None = None, url: str | None = None) -> int:
    """Deliver run folders, print progress to a console, and return the exit status.

    It is 0 if everything is delivered, 1 if something is not, and :data:`RECORDS_LOST` if everything is delivered
    except records that are lost. ``url`` is the server, by default that of the settings, else that in the folder, else
    the local stack. Raises UsageError if the URL, or that of the settings, is not one.
    """
    environ, source = _given_server(url)
    folders = run_folders(paths)
    if not folders:
        _print(console, f"No run folder in {', '.join(map(str, paths)) or Path.cwd()}: nothing to deliver")
        return 1 if paths else 0
    if console is None:
        results = deliver_all(folders, environ=environ)
    else:
        with console.status("Connecting") as status:
            uploads = UploadProgress()

            def progress(path: Path, acked: int, pending: int, left: Remaining) -> None:
                files = uploads.text(left.files, left.size, left.sent)
                also = f", {files} to be uploaded" if files else ""
                status.update(f"{path.name}: {acked:,} records delivered, {pending:,} pending{also}")

            def chosen(folder: RunFolder, server: Server) -> None:
                _print(console, f"{folder.path.name}: {_choice(folder.info.url, server, source)}")

            results = deliver_all(
                folders,
                environ=environ,
                progress=progress,
                chosen=chosen,
                done=lambda result: _print_result(console, result),
            )
    lost = sum(result.delivered.lost for result in results)
    if lost and len(results) > 1:
        _print(console, f"{lost:,} record(s) are lost; see the lines above")
    if not all(result.state.good for result in results):
        return 1
    return RECORDS_LOST if lost else 0


def _choice(recorded: str | None, server: Server, given: str) -> str:
    """Return which server is used and why; ``given`` is where the one of the environment was named."""
    source = given if server.source == VARIABLE else server.source
    other = recorded and not same_origin(recorded, server.url)
    return f"server {server.url}, from {source}" + (f"; the run was recorded with {recorded}" if other else "")


def _given_server(url: str | None) -> tuple[Mapping[str, str], str]:
    """Return an environment with the server that is named now, and where it is named."""
    settings = checked_settings({"base_url": url})
    source = "--url" if url else VARIABLE if os.environ.get(VARIABLE) else "a settings file"
    if settings.base_url:
        check_url(settings.base_url, source)
    return server_environ(os.environ, settings), source


def run_folders(paths: Sequence[str | Path]) -> list[Path]:
    """Return the run folders at paths. Each path is a run folder, or contains some, directly or in ``runstream``."""
    found: dict[Path, None] = {}
    for path in map(Path, paths or ["."]):
        if (path / "run.json").exists():
            found[path] = None
        for parent in (path, path / "runstream"):
            found.update(dict.fromkeys(sorted(one.parent for one in parent.glob("run-*/run.json"))))
    return list(found)


def _ignore(_folder: RunFolder, _server: Server) -> None:
    """Do nothing."""


def deliver_all(
    folders: Sequence[Path],
    *,
    environ: Mapping[str, str] | None = None,
    settings: ShipperSettings | None = None,
    stalled_s: float = STALLED_S,
    progress: Callable[[Path, int, int, Remaining], None] | None = None,
    chosen: Callable[[RunFolder, Server], None] = _ignore,
    done: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Deliver run folders one after the other; Ctrl-C stops the current one cleanly and skips the others.

    ``chosen`` is called with the server of each folder, and again if another one answers.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("runstream.shipper").setLevel(logging.ERROR)
    results: list[Result] = []
    for path in folders:
        result = _deliver(path, environ or os.environ, settings or ShipperSettings(), stalled_s, progress, chosen)
        result = replace(result, delivered=read_delivered(path / "delivery.json"))
        results.append(result)
        if done is not None:
            done(result)
        if result.state is State.INTERRUPTED:
            break
    return results


def _deliver(  # noqa: PLR0917 - one caller
    path: Path,
    environ: Mapping[str, str],
    settings: ShipperSettings,
    stalled_s: float,
    progress: Callable[[Path, int, int, Remaining], None] | None,
    chosen: Callable[[RunFolder, Server], None],
) -> Result:
    try:
        folder = RunFolder.open(path)
        if is_complete(folder):
            return Result(path, State.ALREADY_COMPLETE)
        descriptor = lock(folder.path / "shipper.lock")
        if descriptor is None:
            return Result(path, State.BUSY)
        try:
            return asyncio.run(_deliver_folder(folder, environ, settings, stalled_s, progress, chosen))
        finally:
            os.close(descriptor)
    except (UnusableRunError, ShipperError, OSError, ValueError) as error:
        return Result(path, State.FAILED, problem=str(error))


def is_complete(folder: RunFolder) -> bool:
    """Whether everything in a folder was delivered already."""
    ledger = Ledger.load(folder.ledger)
    return ledger.complete and all(ledger.closed(writer) for writer in folder.writers())


@dataclass(slots=True)
class Patience:
    """How long delivery goes on without a sign of progress.

    Only time in which this process runs counts: on a starved machine, neither it nor the broker gets anything done.
    """

    stalled_s: float
    _progress: float = -1.0
    _silent_s: float = 0.0
    _unconnected_s: float = 0.0

    def lasts(self, progress: float, *, connected: bool) -> bool:
        """Return whether to go on, after another ``_WATCH_S``; ``progress`` is a number that grows with any of it."""
        moved, self._progress = progress != self._progress, progress
        self._silent_s = 0.0 if moved else self._silent_s + _WATCH_S
        self._unconnected_s = 0.0 if moved or connected else self._unconnected_s + _WATCH_S
        return self._silent_s <= self.stalled_s and self._unconnected_s <= min(self.stalled_s, NO_ANSWER_S)


async def _deliver_folder(  # noqa: PLR0917 - one caller
    folder: RunFolder,
    environ: Mapping[str, str],
    settings: ShipperSettings,
    stalled_s: float,
    progress: Callable[[Path, int, int, Remaining], None] | None,
    chosen: Callable[[RunFolder, Server], None],
) -> Result:
    def note(acked: int, pending: int) -> None:
        if progress is not None:
            progress(folder.path, acked, pending, shipper.uploads.remaining())

    shipper = Shipper(folder, environ, settings, live=False, progress=note)
    shipper.connector.route.chosen = partial(chosen, folder)
    interrupted = asyncio.Event()

    def interrupt() -> None:
        interrupted.set()
        shipper.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)

    async def stop_when_stalled() -> None:
        patience, connector, ticks = Patience(stalled_s), shipper.connector, 0
        while not connector.refused:
            ticks += shipper.delivery.uploading and not shipper.uploads.problem  # an upload has its own deadlines
            done = shipper.delivery.acked + shipper.uploads.progress + ticks
            if not patience.lasts(done, connected=connector.reachable.is_set() or not connector.problem):
                break
            await asyncio.sleep(_WATCH_S)
        shipper.stop()

    watch = BackgroundTasks(lambda *_: shipper.stop())
    watch.start("stall detection", stop_when_stalled())
    result = await shipper.run()
    await watch.close()
    state = {ShipperResult.COMPLETE: State.DELIVERED, ShipperResult.OPEN: State.OPEN}.get(result, State.FAILED)
    if state is State.FAILED and interrupted.is_set():
        state = State.INTERRUPTED
    unknown = f"no acknowledgement for {stalled_s:g} s; what is left stays in the folder"
    problem = "" if state.good else shipper.connector.problem or _upload_problem(shipper) or unknown
    return Result(folder.path, state, shipper.delivery.acked, problem)


def _upload_problem(shipper: Shipper) -> str:
    problem, left = shipper.uploads.problem, shipper.uploads.remaining()
    files = UploadProgress().text(left.files, left.size, left.sent)
    return f"{files} not uploaded: {problem}" if files and problem else problem


def _print_result(console: Console, result: Result) -> None:
    records = f" ({result.records:,} records)" if result.records else ""
    problem = f": {result.problem}" if result.problem else ""
    delivered = result.delivered
    lost = f"; {delivered.lost:,} record(s) lost: {delivered.losses}" if delivered.lost else ""
    _print(console, f"{result.path.name} {result.state.value}{records}{problem}{lost}")


def _print(console: Console | None, text: str) -> None:
    if console is not None:
        console.print(f"runstream: {text}", markup=False, highlight=False, soft_wrap=True)
