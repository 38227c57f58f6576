"""How writers end: from their own last record, from the exit status of their process, and from the circumstances."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from runstream.assembly.events import Envelope
from runstream.spool.format import TopicCode
from runstream.spool.reader import SpoolRecord
from runstream_schemas.events import Ending, ExitEvent, ExitState, Failure, Header, Kind
from runstream_schemas.topics import Topic

_STATES = {state.value: state for state in ExitState}
#: Topics whose counts an exit has even if they are zero.
_ALWAYS_COUNTED = (Topic.LOG, Topic.CONFIG, Topic.SUMMARY)

SHIPPER_DIED = Ending(state=ExitState.CRASHED, signal=-1, reason="the shipper was restarted")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a writer ended: the outcome, its order, when (microseconds since 1970), and whether it has a state vote."""

    ending: Ending
    order: int
    time: int
    decides: bool = True
    failure: Failure | None = None

    def event(self, envelope: Envelope, *, beats: bool, decides: bool, waits_for_all: bool) -> ExitEvent:
        """Return the exit as an event; ``beats`` if beats may have been sent, ``decides`` by the settings."""
        return ExitEvent(
            header=Header(kind=Kind.DATA, run=envelope.run, writer=envelope.writer, time=self.time, order=self.order),
            beats=beats,
            ending=self.ending,
            decides=decides and self.decides,
            waits_for_all=waits_for_all,
            failure=self.failure,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What was requested or announced before a process ended."""

    #: A user requested that the run be stopped.
    stop: bool = False
    #: The process announced that it was about to be preempted.
    preempting: bool = False
    #: A scheduler sends SIGTERM to preempt.
    preemptible: bool = False


def apply_circumstances(ending: Ending, circumstances: Circumstances) -> Ending:
    """Return an ending found from outside, with the state that the circumstances imply."""
    by_scheduler = circumstances.preemptible and ending.signal == signal.SIGTERM
    if circumstances.stop:
        return replace(ending, state=ExitState.KILLED, reason=f"stopped by a command; {ending.reason}")
    if by_scheduler or (circumstances.preempting and ending.state is not ExitState.FINISHED):
        return replace(ending, state=ExitState.PREEMPTED, reason=f"preempted; {ending.reason}")
    return ending


def leaves_to_exit_status(record: SpoolRecord) -> bool:
    """Whether a last record leaves the outcome to the exit status of the process."""
    return _payload(record).get("by_status") is True


def recorded_exit(record: SpoolRecord, counts: Mapping[int, int]) -> Exit:
    """Return the exit that a writer recorded itself; ``counts`` are its records by topic code."""
    data = _payload(record)
    decides, failure = data.get("decides") is not False, _failure(data)
    return Exit(with_counts(_ending(data), counts), record.order, record.time, decides, failure)


def with_counts(ending: Ending, counts: Mapping[int, int]) -> Ending:
    """Return the ending with the number of records of each topic, from counts by topic code."""
    by_topic = {Topic[code.name]: counts.get(code, 0) for code in TopicCode if code is not TopicCode.EXIT}
    shown = {topic: count for topic, count in by_topic.items() if count or topic in _ALWAYS_COUNTED}
    return replace(ending, counts={**shown, Topic.EXIT: 1})


def to_json(exit: Exit) -> dict[str, Any]:  # noqa: A002 (the contract's term)
    """Return the object for ``exit.json``."""
    ending = exit.ending
    return {
        "version": 1,
        "order": exit.order,
        "time": exit.time,
        "state": ending.state.value,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "reason": ending.reason,
        "counts": {topic.value: count for topic, count in ending.counts.items()},
        "failure": None if exit.failure is None else asdict(exit.failure),
    }


def from_json(data: Mapping[str, Any] | None) -> Exit | None:
    """Return the exit in the object of ``exit.json``, or None if it is missing or damaged."""
    if data is None:
        return None
    try:
        counts = {Topic(name): int(count) for name, count in data["counts"].items()}
        ending = replace(_ending(data), counts=counts)
        return Exit(ending, int(data["order"]), int(data["time"]), failure=_failure(data))
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _payload(record: SpoolRecord) -> dict[str, Any]:
    try:
        data = msgspec.msgpack.decode(record.payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _failure(data: Mapping[str, Any]) -> Failure | None:
    try:
        texts = {name: str(data["failure"][name]) for name in ("type", "message", "traceback")}
    except (LookupError, TypeError):
        return None
    return Failure(**texts) if texts["type"] else None


def _ending(data: Mapping[str, Any]) -> Ending:
    code, number = data.get("exit_code"), data.get("signal")
    return Ending(
        state=_STATES.get(str(data.get("state")), ExitState.UNKNOWN),
        exit_code=code if isinstance(code, int) else -1,
        signal=number if isinstance(number, int) else 0,
        reason=str(data.get("reason") or ""),
    )
