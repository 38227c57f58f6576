"""The recorder of a run: its spool, forks, delivery and end."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from runstream.exceptions import Error, UsageError
from runstream.preemption import is_preemptible
from runstream.spool.control_page import Word
from runstream.spool.format import TopicCode
from runstream.spool.refusals import ClosedError, DiskPolicy, ForkedError
from runstream.tracking.lifecycle.console_capture import ConsoleCapture
from runstream.tracking.lifecycle.delivery_status import RunStatus, acknowledged, last_acknowledged
from runstream.tracking.lifecycle.exit_hooks import EXIT_HOOKS
from runstream.tracking.lifecycle.final_report import FinalReport, gone_message
from runstream.tracking.lifecycle.shipper_launcher import ShipperLauncher, shipper_dies_with_trainer
from runstream.tracking.rows.metric import Metric
from runstream.tracking.rows.row_log import RowLog
from runstream.tracking.run.writer_place import Adoption, WriterPlace
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder
from runstream.tracking.values.entries import config_entry, recordable
from runstream_schemas.events import ExitState, Operation, Role, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runstream.files.file_record import FileRecord
    from runstream.run_folder.folder import RunFolder
    from runstream.settings import Settings
    from runstream.terminal.terminal import Terminal
    from runstream.tracking.lifecycle.outcome import Outcome
    from runstream.tracking.run.start import RunStart
    from runstream.tracking.values.entries import ConfigEntry, SummaryEntry

#: Seconds that the SIGTERM handler waits for delivery if the shipper dies with this process; schedulers allow 30.
_SIGNAL_WAIT_S = 10.0


class SpoolRecorder:
    """Records a run into its folder. Safe with threads, forks and signals. Raises OSError without a spool.

    ``first`` are the entries of the first record, and ``continues`` the writers that this one continues. If
    ``relative``, the last step of the run is not known: implicit steps are added to it at delivery.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        *,
        role: Role,
        label: str,
        terminal: Terminal,
        final_report: FinalReport,
        first: Sequence[ConfigEntry],
        environ: Mapping[str, str],
        encoder: ValueEncoder = DEFAULT_ENCODER,
        continues: tuple[bytes, ...] = (),
        relative: bool = False,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._at_end = at_end
        self._relative = relative
        self._settings = settings
        self._label = label
        self._terminal = terminal
        self._final_report = final_report
        self._environ = environ
        self._encoder = encoder
        self._owner = os.getpid()
        self._schedulers_signal = is_preemptible(environ)
        self._ending = threading.RLock()
        self._finished = False
        #: Whether the summary may be something else than the last values, by metric definitions or since a part of an
        #: assignment is not in the spool.
        self._defined = False
        self._launcher = None if settings.mode == "offline" else ShipperLauncher(folder, environ)
        self._place = WriterPlace(folder, DiskPolicy(settings.disk), encoder, self._report, relative=relative)
        made = self._place.draft(role, label, first, continues)
        self._place.publish(made)
        self._writer_id, self._summary = made.id, made.summary
        self._history = RowLog(
            made.writer, on_tick=self._check, on_error=self._rescue, warn=terminal.warn, encoder=encoder
        )
        #: By process, the writers that it made when it was forked, of which the first is used.
        self._adoptions: dict[int, list[Adoption]] = {}
        self._console = ConsoleCapture(folder.logs / "console.log")
        self._interrupted = False

    def start(self) -> None:
        """Start console capture, exit hooks and delivery; a failure of one prints a warning."""
        if self._settings.console != "off":
            self._try("capture the console", self._console.start)
        EXIT_HOOKS.add(self)
        if self._launcher is not None:
            self._try("start delivery", self._launcher.start)

    def continue_from(self, start: RunStart) -> None:
        """Continue from an earlier run; called once, before the first row."""
        writer = self._history.writer
        if (branch := start.branch) is not None:
            writer.append_branch(None if start.resumed else branch.run_id, branch.step)
        if (folds := start.folds) is not None:
            self._try("read the summary of the resumed run", lambda: self.seed_summary(folds, start.continues))
        if start.values:
            entries = [[Operation.SET.value, list(path), value] for path, value in start.values]
            self._append_entries(TopicCode.SUMMARY, entries)
        known = [*self._summary.logged(), *((path, start.step, value) for path, value in start.values)]
        if self._relative:
            self._history.mark_explicit_steps()
        self._history.go_on(start.step, known, again=start.resumed and branch is None)
        for metric in start.metrics:
            axis, sync = metric.get("step_metric"), metric.get("step_sync")
            self.define(Metric(name=metric["name"], step_metric=axis, step_sync=sync))

    @property
    def counter(self) -> int:
        """The step of the open row, or else of the next row that is logged without one."""
        return self._history.counter

    def logger(self) -> Callable[..., None]:
        """Return what appends a row, or joins the open one.

        It is handed out whole, not called from here: each call between the program and the spool can be measured.
        """
        return self._history.log

    def record_config(self, entries: Sequence[ConfigEntry]) -> None:
        """Append changes of attributes, config, metric definitions or metadata; raises UsageError after the end."""
        if entries:
            self._append_entries(TopicCode.CONFIG, entries)
        elif self._finished:
            raise self._finished_error()

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Append assignments to the summary, and apply them to the last values; raises UsageError after the end."""
        if not self._append_entries(TopicCode.SUMMARY, entries):
            self._defined = True
            return
        self._history.update_last_values(apply)

    def record_alert(self, alert: Mapping[str, Any]) -> None:
        """Append an alert; raises UsageError after the end."""
        self._append(TopicCode.ALERT, dict(alert))

    def record_file(self, record: FileRecord | Mapping[str, Any]) -> None:
        """Append a file, see :class:`FileRecord`; raises UsageError after the end."""
        self._append(TopicCode.FILE, record)

    def record_artifact(self, record: Mapping[str, Any]) -> None:
        """Append what the run does with an artifact; raises UsageError after the end."""
        self._append(TopicCode.ARTIFACT, record)

    def check(self) -> None:
        """Do what ``log()`` does once a second: start delivery again if it has ended, and restore deleted files."""
        self._check(0)

    def mark_preempting(self) -> None:
        """Record that a preemption is near, and have the shipper send a heartbeat; raises UsageError after the end."""
        # The record comes first, so that it is not lost if the process is killed in between.
        self._append(TopicCode.CONFIG, [config_entry("preempting", True, Scope.ATTRIBUTE)])  # noqa: FBT003
        self._folder.control[Word.PREEMPTING] = 1

    @property
    def should_stop(self) -> bool:
        """Whether a stop of the run is requested, as the shipper read it from the server."""
        return self._folder.control[Word.STOP_REQUESTED] != 0

    def status(self) -> RunStatus:
        """Return the progress of delivery, as acknowledged by the broker; raises UsageError after the end."""
        writer = self._history.writer
        if self._finished or writer.closed:
            raise self._finished_error()
        total = writer.next_row + sum(writer.counts)
        acked = acknowledged(self._folder, self._writer_id)
        return RunStatus(
            sync_items_total=total, sync_items_pending=max(total - acked, 0), sync_time=last_acknowledged(self._folder)
        )

    def summary(self) -> dict[str, Any]:
        """Return the summary as this process knows it; it must not be changed. Empty, with a warning, after the end."""
        if self._finished:
            self._terminal.warn("summary data not available: the run is finished; read it with runstream.Api().run()")
            return {}
        return self._summary.values(self._history.writer.order)

    def seed_summary(self, folds: Mapping[str, Any], continues: Iterable[bytes]) -> None:
        """Start the summary with the summary state of the server; see :meth:`LocalSummary.seed`."""
        self._summary.seed(folds, continues)
        self._defined = True

    def define(self, metric: Metric) -> None:
        """Apply a metric definition to later rows: insert the step metric into those that lack it."""
        self._history.define(metric)
        self._defined = True

    def finish(self, outcome: Outcome) -> None:
        """Append the exit; in the process that began the run, also wait for delivery and print the report."""
        if os.getpid() != self._owner and not self._finished and self._history.writer.forked:
            # A forked child without a writer. Its end is not recorded, unless an exception ended it.
            if outcome.failure is None or outcome.state is not ExitState.FAILED:
                self._finished = True
                return
            self._try("record the exception of a forked process", self._adopt)
        with self._ending:
            if self._finished:
                return
            self._finished = True
            if os.getpid() != self._owner:  # a forked child only ends its own writer, if it has one
                if not self._history.writer.forked:
                    self._close(outcome)
                return
            EXIT_HOOKS.remove(self)
            if missing := self._console.stop():
                self._terminal.warn(missing)
            self._try("save the files in the folder of the run", self._save_files)
            # Before the shipper sees the end, since it deletes what is delivered.
            summary = self._last_summary()
            if not self._close(outcome):
                self._terminal.warn("The end of the run could not be recorded: the disk is full")
            dropped = self._history.writer.dropped
            self._try(
                "wait for delivery",
                lambda: self._final_report.conclude(
                    self._launcher, summary=summary, dropped=dropped, stalled=self._restore
                ),
            )

    def _save_files(self) -> None:
        """Record what the program wrote to ``run.dir``; offline, stage what would be read after the end."""
        self._at_end()
        if (files := self._encoder.files) is not None:
            files.saved.add_unsaved(self._terminal.warn)
            if self._launcher is None:
                files.saved.keep(self._terminal.warn)

    def _last_summary(self) -> dict[str, Any]:
        """Return the summary at the end; without metric definitions, the last values are the summary."""
        if (self._defined or self._history.writer.dropped) and self._terminal.prints_details:
            with contextlib.suppress(OSError, ValueError, LookupError):
                return self._summary.values(self._history.writer.order, ended=True)
        return self._history.last_values()

    def note_handled_signal(self, outcome: Outcome) -> None:
        """Record a signal that the program handles; SIGTERM from a scheduler announces a preemption."""
        if outcome.signal == signal.SIGTERM and self._schedulers_signal and not self._finished:
            self._try("record the preemption", self.mark_preempting)

    def finish_on_signal(self, outcome: Outcome) -> None:
        """Record the end in a signal handler, before the signal ends the process."""
        if self._finished or (os.getpid() != self._owner and self._history.writer.forked):
            return
        self._finished = True
        self._close(outcome)
        self._folder.control[Word.FINISH_REQUESTED] = 1
        if self._launcher is not None and os.getpid() == self._owner and shipper_dies_with_trainer(self._environ):
            self._launcher.wait(_SIGNAL_WAIT_S, lambda _: None)

    def _close(self, outcome: Outcome) -> bool:
        writer = self._history.writer
        self._folder.control[Word.DROPPED] = writer.dropped
        adjusted = self._adjusted(outcome)
        return writer.append_last(adjusted.as_record(), adjusted.without_failure().as_record())

    def _adjusted(self, outcome: Outcome) -> Outcome:
        """Return an outcome with regard to a requested stop or an announced preemption."""
        control = self._folder.control
        if not outcome.decides:
            return outcome
        if control[Word.STOP_REQUESTED]:
            return outcome.stopped()
        by_scheduler = outcome.signal == signal.SIGTERM and self._schedulers_signal
        if by_scheduler or (control[Word.PREEMPTING] and not outcome.in_order):
            return outcome.preempted()
        return outcome

    def _append_entries(self, topic: TopicCode, entries: Sequence[list[Any]]) -> bool:
        """Append the entries of a change; return whether they are in the spool as they are."""
        records = [*recordable(entries, self._encoder, topic.name.lower())]
        stored = [self._append(topic, record) for record in records]
        return all(stored) and (len(records) == 1 and records[0] == [*entries])

    def _append(self, topic: TopicCode, value: Any) -> bool:
        for _ in range(2):
            try:
                return self._history.writer.append(topic, value)
            except ForkedError:
                self._adopt()
            except ClosedError:
                raise self._finished_error() from None
        return False

    def _rescue(self, error: Exception, data: Any, step: int | None, commit: bool | None) -> None:  # noqa: FBT001
        """Log from a forked child to a separate writer; print a warning for any other error of a row."""
        if isinstance(error, ClosedError):
            raise self._finished_error() from None
        try:
            if isinstance(error, ForkedError):
                self._adopt()
                self._history.log(data, step, commit)
                return
        except Error:
            raise
        except Exception as another:  # noqa: BLE001 - tracking never stops the program
            error = another
        self._terminal.warn(f"A row could not be recorded: {error!r}")

    def _adopt(self) -> None:
        """Become a separate writer: this process is a forked child that logs for the first time.

        A thread or a signal handler may do the same meanwhile. No one waits: each drafts a writer, the first one is
        decided by one ``list.append`` and published by whoever comes next, and the others are deleted.
        """
        pid, history, parent = os.getpid(), self._history, self._summary
        adoptions = self._adoptions.setdefault(pid, [])
        if not adoptions:
            label = f"{self._label}/{pid}" if self._label else f"pid {pid}"
            made = self._place.draft(Role.CHILD, label, [config_entry("label", label, Scope.ATTRIBUTE)])
            made.summary.forked_from(parent)
            adoption = Adoption(made, label, history.in_child(made.writer), threading.RLock())
            adoptions.append(adoption)
            if adoptions[0] is not adoption:
                self._folder.discard_writer(made.id)
        chosen = adoptions[0]
        self._place.publish(chosen.made)
        self._label, self._ending, self._writer_id = chosen.label, chosen.ending, chosen.made.id
        self._summary, self._history = chosen.made.summary, chosen.history
        EXIT_HOOKS.watch_child()

    def _report(self, text: str, dropped: int) -> None:
        self._terminal.warn(text)
        self._folder.control[Word.DROPPED] = dropped

    def _check(self, now: int) -> None:
        del now
        self._try("restore a deleted file", self._restore)
        self._folder.control.check()
        if self._folder.gone:
            self._terminal.warn(gone_message(self._folder))
            return
        if self._launcher is None or os.getpid() != self._owner:
            return
        self._try("start delivery again", self._launcher.ensure)
        if self._settings.raise_on_stop and self.should_stop and not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt("a stop of the run was requested")

    def _restore(self) -> None:
        self._history.writer.restore()
        self._folder.restore()

    def _try(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - tracking never stops the program
            self._terminal.warn(f"Cannot {what}: {error}; records are kept, and `runstream sync` delivers them")

    def _finished_error(self) -> UsageError:
        return UsageError("The run is finished and cannot record more: call runstream.init() to begin another")
