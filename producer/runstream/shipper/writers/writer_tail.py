"""One writer of the run as the shipper follows it: what it wrote, how it ended, what of it is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING

from runstream.assembly.assembler import Assembler
from runstream.assembly.tally import Tally, tally
from runstream.run_folder.json_files import read_json, write_json
from runstream.shipper.delivery.ledger import WriterAccount
from runstream.shipper.writers.exits import (
    SHIPPER_DIED,
    Circumstances,
    Exit,
    apply_circumstances,
    counted,
    from_json,
    leaves_to_exit_status,
    recorded_exit,
    to_json,
)
from runstream.shipper.writers.process import (
    WatchedProcess,
    ending_from_status,
    find_wait_status,
    is_alive,
    zombie_status,
)
from runstream.spool.reader import SpoolReader, segment_path, segments
from runstream_schemas.events import Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.assembly.block import Block
    from runstream.run_folder.descriptions import WriterInfo
    from runstream.run_folder.folder import RunFolder
    from runstream.run_folder.process_identity import Host
    from runstream.shipper.writers.process import InheritedPidfd
    from runstream.spool.reader import Position
    from runstream_schemas.limits import Limits


class WriterTail:
    """Follows one writer.

    Args:
        folder: The run.
        info: The writer.
        host: This machine.
        trainer: The pidfd that was inherited, of whichever process it is.
    """

    def __init__(self, folder: RunFolder, info: WriterInfo, host: Host, trainer: InheritedPidfd | None = None) -> None:
        self.info = info
        self._inherited = trainer if trainer is not None and trainer.is_of(info, host) else None
        self.path = folder.writer_folder(info.id)
        self._run = folder.info
        self._host = host
        self._watched: WatchedProcess | None = None
        self._flight: dict[int, deque[tuple[Position, int]]] = {}
        self._exit_position: Position | None = None
        #: The last record was read, and leaves it to the exit status of the process how it ended.
        self._left_to_status = False
        self._reader = SpoolReader(self.path)
        self._assembler = Assembler({}, block_bytes=1, block_rows=1)
        self.account = WriterAccount()
        #: The process is gone.
        self.dead = False
        #: How the writer ended, once that is known.
        self.exit: Exit | None = None
        self.exit_sent = False
        #: Everything was read; nothing more will come.
        self.drained = False

    @property
    def trains(self) -> bool:
        """Whether this is a process of the user's, not a shipper."""
        return self.info.role is not Role.SHIPPER

    @property
    def lives(self) -> bool:
        """Whether this is a process of the user's that goes on."""
        return self.trains and not self.dead and self.exit is None

    @property
    def label(self) -> str:
        """The writer for a log line."""
        return f"{self.info.role.value} {self.info.id.hex()[:8]}"

    @property
    def next_order(self) -> int:
        """The order behind the last append that was read."""
        return self._assembler.next_order or 0

    @property
    def position(self) -> Position:
        """Where the next append is read."""
        return self._reader.position

    @property
    def delivered(self) -> bool:
        """Whether everything of the writer, its exit included, is acknowledged."""
        return self.drained and self.account.exit_acked and not any(self._flight.values())

    @property
    def awaits_end(self) -> bool:
        """Whether everything is acknowledged but the exit, for which the process has to end first."""
        drained = self.drained and not any(self._flight.values())
        return drained and self._left_to_status and self.exit is None and not self.dead

    @property
    def decides(self) -> bool:
        """Whether the writer has a say in the state of its run."""
        return self._run.decides and (self.exit is None or self.exit.decides)

    @property
    def waits_for_all(self) -> bool:
        """Whether the run goes on until every writer that decides has ended."""
        return self._run.waits_for_all

    # --- what is read

    def begin(self, account: WriterAccount, limits: Limits, block_rows: int | None) -> None:
        """Read from the first record on that the account does not have; whatever was read before is forgotten."""
        self._reader.close()
        self.account = account
        self._flight = {}
        self._exit_position = None
        self._reader = SpoolReader(self.path, account.resume)
        rows = block_rows or limits.block_rows
        self._assembler = Assembler(
            account.acked,
            block_bytes=limits.block_bytes,
            block_rows=rows,
            base=self.info.base or 0,
            explicit_from=account.explicit_from,
        )
        self.drained = account.closed
        self.exit_sent = account.exit_acked

    def pull(self, limit: int) -> list[Block]:
        """Return blocks of what the writer appended since, about ``limit`` bytes of it."""
        if self.drained:
            return []
        records = self._reader.read(ended=self.dead, limit=limit)
        self._assembler.take(records)
        if (last := self._assembler.exit) is not None:
            self.drained = True
            self._exit_position = last.position
            self._left_to_status = leaves_to_exit_status(last)
            if self.exit is None and not self._left_to_status:
                self.exit = recorded_exit(last, self._assembler.counts)
        elif not records and self.dead and self.exit is not None:
            self._assembler.close_row()
            self.drained = True
        blocks = self._assembler.blocks()
        for block in blocks:
            self._flight.setdefault(block.topic, deque()).append((block.start, block.stop))
        return blocks

    def acknowledge(self, topic: int, stop: int) -> int:
        """Note that the records of a topic below ``stop`` are acknowledged; return how many of them are new."""
        flight = self._flight.get(topic)
        while flight and flight[0][1] <= stop:
            flight.popleft()
        new = stop - self.account.acked.get(topic, 0)
        self.account.acked[topic] = stop
        return new

    def pending(self) -> int:
        """Return how many records were read and are not acknowledged, the exit not counted."""
        return sum(self._assembler.counts.values()) - self.account.records

    def settle(self) -> None:
        """Bring the account's resume position up to date."""
        self.account.explicit_from = self._assembler.explicit_from
        starts = [flight[0][0] for flight in self._flight.values() if flight]
        if (oldest := self._assembler.oldest) is not None:
            starts.append(oldest)
        if self._exit_position is not None:  # a restart must find the exit again, until the goodbye is said
            starts.append(self._exit_position)
        self.account.resume = min(starts, default=self._reader.position)

    def delivered_segments(self) -> list[Path]:
        """Return the segments that are needed no more once the account, as it is now, is saved."""
        closed, resume = self.account.closed, self.account.resume
        return [
            segment_path(self.path, number)
            for number in sorted(segments(self.path))
            if closed or (resume is not None and number < resume.segment)
        ]

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

    # --- whether it lives, and how it ended

    def look(self, now: float) -> int | None:
        """Look whether the process lives; return its pidfd when it begins to be watched."""
        if self.dead or self._watched is not None:
            return None
        if self._inherited is not None:
            return self._take_over(self._inherited)
        if is_alive(self.info, self._host, last_write=self._last_write(), now=now):
            if self.info.boot_id == self._host.boot_id:
                with contextlib.suppress(OSError):
                    return self._watch()
        else:
            self.dead = True
        return None

    def _take_over(self, inherited: InheritedPidfd) -> int | None:
        self._watched = WatchedProcess(self.info, os.dup(inherited.descriptor))
        self.dead = self._watched.ended()
        return None if self.dead else self._watched.descriptor

    def _watch(self) -> int | None:
        watched = WatchedProcess(self.info)
        # The pid may have been taken by another process before the pidfd was opened.
        if not is_alive(self.info, self._host, last_write=0.0, now=0.0):
            watched.close()
            self.dead = True
            return None
        self._watched = watched
        return watched.descriptor

    def notice_death(self) -> None:
        """Note that the process has ended; from now on the tail of its spool is final."""
        self.dead = True

    async def find_exit(
        self, floor: Mapping[int, int], circumstances: Circumstances, *, identify: bool, now: int
    ) -> Exit:
        """Find out how the dead writer ended, and keep the answer: it is given once and for all.

        The writer's own last record decides, unless it leaves that to the exit status; else an answer that was found
        before, the kernel, or "unknown".

        Args:
            floor: By topic code, how many records are known from what was delivered and deleted.
            circumstances: What had gone before.
            identify: Whether the kernel may be asked.
            now: Microseconds since 1970.
        """
        found, status = await asyncio.gather(
            asyncio.to_thread(self._tally, floor), asyncio.to_thread(self._wait_status, identify=identify)
        )
        if found.exit is not None and not leaves_to_exit_status(found.exit):
            return recorded_exit(found.exit, found.counts)
        path = self.path / "exit.json"
        stored = read_json(path)
        if stored is None:
            stored = to_json(self._conclude(found, status, circumstances, now))
            write_json(path, stored, durable=True)
        return from_json(stored)

    def _conclude(self, found: Tally, status: int | None, circumstances: Circumstances, now: int) -> Exit:
        if found.exit is not None and status is None:
            return recorded_exit(found.exit, found.counts)
        ending = apply_circumstances(ending_from_status(status), circumstances) if self.trains else SHIPPER_DIED
        if found.exit is not None:
            return Exit(counted(ending, found.counts), found.exit.order, found.exit.time)
        time = now if self._watched is not None else found.last_time or now
        return Exit(counted(ending, found.counts), found.next_order or 0, time)

    def _tally(self, floor: Mapping[int, int]) -> Tally:
        counts = self._assembler.counts
        known = {code: max(counts.get(code, 0), floor.get(code, 0)) for code in {*counts, *floor}}
        return tally(self.path, self._reader.position, known, self._assembler.next_order)

    def _wait_status(self, *, identify: bool) -> int | None:
        if not identify and not self._left_to_status:
            return None
        if self._watched is not None:
            return find_wait_status(self._watched)
        return zombie_status(self.info) if self.info.boot_id == self._host.boot_id else None

    def _last_write(self) -> float:
        times = [0.0]
        for number in segments(self.path):
            with contextlib.suppress(OSError):
                times.append(os.stat(segment_path(self.path, number)).st_mtime)  # noqa: PTH116 (one call)
        return max(times)
