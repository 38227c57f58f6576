"""One writer of the run as the shipper follows it: what it wrote, how it ended, what of it is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from runstream.assembly.assembler import Assembler
from runstream.assembly.block import Block
from runstream.assembly.tally import Tally, tally
from runstream.run_folder.descriptions import WriterInfo
from runstream.run_folder.folder import RunFolder
from runstream.run_folder.json_files import read_json, write_json
from runstream.run_folder.process_identity import Host
from runstream.shipper.ledger.ledger import WriterAccount
from runstream.shipper.ledger.upload_gate import UploadGate, UploadQueue
from runstream.shipper.writers import exits, process
from runstream.spool.reader import Position, SpoolReader, segment_path, segments
from runstream_schemas.events import Ending, Role
from runstream_schemas.limits import Limits


class WriterTail:
    """Follows one writer. ``trainer`` is the pidfd that the shipper inherited, of any process."""

    def __init__(
        self,
        folder: RunFolder,
        info: WriterInfo,
        host: Host,
        trainer: process.InheritedPidfd | None = None,
        gate: UploadGate | None = None,
    ) -> None:
        self.info = info
        self.path = folder.writer_folder(info.id)
        self.run = folder.info
        self._host = host
        self._inherited = trainer if trainer is not None and trainer.is_of(info, host) else None
        self._watched: process.WatchedProcess | None = None
        #: By topic code: where the blocks start that are sent or wait for uploads, and the seq after each.
        self._flight: dict[int, deque[tuple[Position, int]]] = {}
        self._exit_position: Position | None = None
        #: The last record was read, and leaves the outcome to the exit status of the process.
        self._left_to_status = False
        self._reader = SpoolReader(self.path)
        self._assembler = Assembler({}, block_bytes=1, block_rows=1)
        self.account = WriterAccount()
        #: The records that wait for their uploads.
        self.uploads = UploadQueue(gate, info.id)
        #: Staged files of acknowledged records.
        self._not_needed: list[str] = []
        #: The next read looks for segments after one that was deleted.
        self._listing = False
        #: The process has exited.
        self.dead = False
        #: How the writer ended, once that is known.
        self.exit: exits.Exit | None = None
        self.exit_sent = False
        #: Set if how the writer ended could not be found out: its exit then follows from what is read.
        self._presumed: Ending | None = None
        #: Everything was read, and nothing more will be written.
        self.drained = False

    @property
    def is_trainer(self) -> bool:
        """Whether this is a process of the user's, not a shipper."""
        return self.info.role is not Role.SHIPPER

    @property
    def running(self) -> bool:
        """Whether this is a process of the user's that has not ended."""
        return self.is_trainer and not self.dead and self.exit is None

    @property
    def label(self) -> str:
        """The writer for a log line."""
        return f"{self.info.role.value} {self.info.id.hex()[:8]}"

    @property
    def next_order(self) -> int:
        """The order after the last record that was read."""
        return self._assembler.next_order or 0

    @property
    def position(self) -> Position:
        """Where the next record is read."""
        return self._reader.position

    @property
    def delivered(self) -> bool:
        """Whether everything of the writer, including its exit, is acknowledged."""
        return self.drained and self.account.exit_acked and not any(self._flight.values())

    @property
    def awaits_end(self) -> bool:
        """Whether everything is acknowledged except the exit, for which the process must end first."""
        drained = self.drained and not any(self._flight.values())
        return drained and self._left_to_status and self.exit is None and not self.dead

    @property
    def sent(self) -> int:
        """How many records were sent so far, acknowledged or not."""
        in_flight = {topic: flight[-1][1] for topic, flight in self._flight.items() if flight}
        return sum((self.account.acked | in_flight).values())

    @property
    def decides(self) -> bool:
        """Whether the writer's end counts for the state of its run (the state vote)."""
        return self.run.decides and (self.exit is None or self.exit.decides)

    # --- reading

    def begin(self, account: WriterAccount, limits: Limits, block_rows: int | None) -> None:
        """Start reading again, from the first record that the account does not have."""
        self._reader.close()
        self.uploads.restart(keep=account is self.account)
        self.account = account
        self._flight = {}
        self._exit_position = None
        self._reader = SpoolReader(self.path, account.resume)
        self._assembler = Assembler(
            account.acked,
            block_bytes=limits.block_bytes,
            block_rows=block_rows or limits.block_rows,
            base=self.info.base or 0,
            explicit_from=account.explicit_from,
        )
        self.drained = account.closed
        self.exit_sent = account.exit_acked

    def pull(self, limit: int) -> list[Block]:
        """Read about ``limit`` bytes of what the writer appended since; return the blocks that can be sent."""
        if self.drained or self.uploads.full:
            return []
        records = self._reader.read(ended=self.dead, limit=limit, listing=self._listing)
        self._listing = False
        self._assembler.add(records)
        if (last := self._assembler.exit) is not None:
            self.drained = True
            self._exit_position = last.position
            self._left_to_status = exits.leaves_to_exit_status(last)
            if self.exit is None and not self._left_to_status:
                self.exit = exits.recorded_exit(last, self._assembler.counts)
        elif not records and self.dead and (self.exit is not None or self._presumed is not None):
            self._assembler.close_row()
            self.exit = self.exit or self._presumed_exit()
            self.drained = True
        blocks = self._assembler.blocks()
        for block in blocks:
            self._flight.setdefault(block.topic, deque()).append((block.start, block.stop))
        return self.uploads.admit(blocks)

    def acknowledge(self, topic: int, stop: int, lost: str = "") -> int:
        """Note that the records of a topic below ``stop`` are acknowledged; return how many of them are new.

        ``lost`` is the reason of the marker that accounts for them, if they are lost.
        """
        self._not_needed += self.uploads.acknowledge(topic, self.account.acked.get(topic, 0), stop)
        flight = self._flight.get(topic)
        while flight and flight[0][1] <= stop:
            flight.popleft()
        return self.account.acknowledge(topic, stop, lost)

    def pending(self) -> int:
        """Return how many records were read and are not acknowledged, not counting the exit."""
        return sum(self._assembler.counts.values()) - self.account.records

    def settle(self) -> None:
        """Update where reading resumes after a restart: at the first record that is not acknowledged."""
        self.account.explicit_from = self._assembler.explicit_from
        starts = [flight[0][0] for flight in self._flight.values() if flight]
        if (oldest := self._assembler.oldest) is not None:
            starts.append(oldest)
        if self._exit_position is not None:  # a restart must find the exit again until the goodbye is acknowledged
            starts.append(self._exit_position)
        self.account.resume = min(starts, default=self._reader.position)

    def delivered_segments(self) -> list[Path]:
        """Return the segments that are not needed once the account, in its current state, is saved."""
        closed, resume = self.account.closed, self.account.resume
        return [
            segment_path(self.path, number)
            for number in sorted(segments(self.path))
            if closed or (resume is not None and number < resume.segment)
        ]

    def delivered_files(self) -> list[str]:
        """Return the staged files, by their path in the run folder, of which the same holds, once."""
        staged, self._not_needed = self._not_needed, []
        return staged

    def delete_segments(self) -> None:
        """Delete all segments: everything is delivered."""
        for number in list(segments(self.path)):
            segment_path(self.path, number).unlink(missing_ok=True)

    def close(self) -> None:
        """Close files."""
        self._reader.close()
        if self._watched is not None:
            self._watched.close()
            self._watched = None

    # --- the process, and how the writer ended

    def check_process(self, now: float) -> int | None:
        """Check whether the process is running; return its pidfd if it is watched from now on, or is not any more."""
        self._listing = True
        if self._watched is not None and not self.dead and process.executes_another(self.info):
            self.dead = True
            return self._watched.descriptor
        if self.dead or self._watched is not None:
            return None
        if self._inherited is not None:
            return self._watch(os.dup(self._inherited.descriptor))
        if process.is_alive(self.info, self._host, last_write=self._last_write(), now=now):
            if self.info.boot_id == self._host.boot_id:
                with contextlib.suppress(OSError):
                    return self._watch()
        else:
            self.dead = True
        return None

    def _watch(self, inherited: int | None = None) -> int | None:
        watched = process.WatchedProcess(self.info, inherited)
        # A pidfd that was just opened may be that of another process with a reused pid.
        alive = inherited is not None or process.is_alive(self.info, self._host, last_write=0.0, now=0.0)
        if not alive:
            watched.close()
            self.dead = True
            return None
        self._watched = watched
        self.dead = watched.ended()
        return None if self.dead else watched.descriptor

    async def find_exit(self, floor: Mapping[int, int], circumstances: exits.Circumstances, *, now: int) -> exits.Exit:
        """Return how the dead writer ended, and store the answer in ``exit.json``, so that it never changes.

        The writer's own last record decides, unless it leaves the outcome to the exit status; else a stored answer, the
        kernel (if the run permits it), or "unknown". ``floor`` has, by topic code, the records known from what was
        delivered and deleted. OSError is raised if the spool cannot be read or the answer cannot be stored.
        """
        found, status = await asyncio.gather(
            asyncio.to_thread(self._tally, floor), asyncio.to_thread(self._wait_status)
        )
        if found.exit is not None and not exits.leaves_to_exit_status(found.exit):
            return exits.recorded_exit(found.exit, found.counts)
        path = self.path / "exit.json"
        if (stored := exits.from_json(read_json(path))) is not None:
            return stored
        concluded = self._conclude(found, status, circumstances, now)
        write_json(path, exits.to_json(concluded), durable=True)
        return concluded

    def presume_exit(self, circumstances: exits.Circumstances) -> None:
        """Conclude the exit once the whole spool is read, for a writer whose exit could not be found out ahead."""
        self._presumed = exits.apply_circumstances(process.ending_from_status(None), circumstances)

    def _presumed_exit(self) -> exits.Exit | None:
        if self._presumed is None:
            return None
        ending = exits.with_counts(self._presumed, self._assembler.counts)
        return exits.Exit(ending, self.next_order, time.time_ns() // 1000)

    def _conclude(self, found: Tally, status: int | None, circumstances: exits.Circumstances, now: int) -> exits.Exit:
        if found.exit is not None and status is None:
            return exits.recorded_exit(found.exit, found.counts)
        ending = (
            exits.apply_circumstances(self._ending(status), circumstances) if self.is_trainer else exits.SHIPPER_DIED
        )
        if found.exit is not None:
            return exits.Exit(exits.with_counts(ending, found.counts), found.exit.order, found.exit.time)
        ended = now if self._watched is not None else found.last_time or now
        return exits.Exit(exits.with_counts(ending, found.counts), found.next_order or 0, ended)

    def _ending(self, status: int | None) -> Ending:
        return (
            process.ending_by_exec()
            if status is None and process.executes_another(self.info)
            else process.ending_from_status(status)
        )

    def _tally(self, floor: Mapping[int, int]) -> Tally:
        counts = self._assembler.counts
        known = {code: max(counts.get(code, 0), floor.get(code, 0)) for code in {*counts, *floor}}
        return tally(self.path, self._reader.position, known, self._assembler.next_order)

    def _wait_status(self) -> int | None:
        if process.executes_another(self.info):
            return None
        if not self.run.identify_exit_signal and not self._left_to_status:
            return None
        if self._watched is not None:
            return process.find_wait_status(self._watched)
        return process.zombie_status(self.info) if self.info.boot_id == self._host.boot_id else None

    def _last_write(self) -> float:
        times = [0.0]
        for number in segments(self.path):
            with contextlib.suppress(OSError):
                times.append(os.stat(segment_path(self.path, number)).st_mtime)  # noqa: PTH116 (one call)
        return max(times)
