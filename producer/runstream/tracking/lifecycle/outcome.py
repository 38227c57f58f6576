"""How a process ends, as it can determine itself."""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from runstream.tracking.lifecycle.failure import exit_failure, failure_of, handled_exception
from runstream_schemas.events import ExitState, Failure

if TYPE_CHECKING:
    from types import FrameType

_LONGEST_REASON = 500
#: The exit code that W&B records for Ctrl-C.
INTERRUPTED = 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a process: what its exit record holds."""

    state: ExitState
    exit_code: int = 0
    #: 0 for none.
    signal: int = 0
    reason: str = ""
    #: Whether the end affects the state of the run.
    decides: bool = True
    #: Whether the exit status of the process takes precedence, if the shipper can read it.
    by_status: bool = False
    #: The exception that ended the process.
    failure: Failure | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the payload of the exit record."""
        return {
            "state": self.state.value,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason[:_LONGEST_REASON],
            **({} if self.decides else {"decides": False}),
            **({"by_status": True} if self.by_status else {}),
            **({} if self.failure is None else {"failure": asdict(self.failure)}),
        }

    def without_failure(self) -> Outcome:
        """Return this outcome without the exception, whose traceback may be long: the reason remains."""
        return replace(self, failure=None)

    @property
    def in_order(self) -> bool:
        """Whether the process ended normally."""
        return self.state is ExitState.FINISHED

    def stopped(self) -> Outcome:
        """Return this outcome for a run whose stop was requested."""
        reason = "stopped by a command" + (f"; {self.reason}" if self.reason else "")
        return replace(self, state=ExitState.KILLED, reason=reason)

    def preempted(self) -> Outcome:
        """Return this outcome for a process that was preempted."""
        reason = "preempted" + (f"; {self.reason}" if self.reason else "")
        return replace(self, state=ExitState.PREEMPTED, reason=reason)


#: SystemExit with a code that is not known.
LEFT_TO_STATUS = Outcome(ExitState.FINISHED, reason="SystemExit with a code that is not known", by_status=True)
#: The process left the run, which continues without it.
DETACHED = Outcome(ExitState.FINISHED, reason="detached", decides=False)


def from_exit_code(code: int) -> Outcome:
    """Return the outcome of an exit code."""
    if code == 0:
        return Outcome(ExitState.FINISHED)
    return Outcome(ExitState.FAILED, code, reason=f"exit code {code}")


def from_exception(error: BaseException) -> Outcome:
    """Return the outcome of an uncaught exception."""
    if isinstance(error, SystemExit):
        return from_exit_status(error.code, failure_of(error))
    failure = failure_of(error)
    if isinstance(error, KeyboardInterrupt):
        return Outcome(ExitState.KILLED, INTERRUPTED, signal.SIGINT, "interrupted (Ctrl-C)", failure=failure)
    return Outcome(ExitState.FAILED, 1, reason=_reason(failure), failure=failure)


def from_exit_status(status: object, failure: Failure) -> Outcome:
    """Return the outcome of SystemExit, whose status is a code, None, or a text that Python prints."""
    outcome = from_exit_code(system_exit_code(status))
    if status is None or isinstance(status, int):
        return outcome
    return replace(outcome, reason=_reason(failure), failure=failure)


def from_sys_exit(status: object, caller: FrameType | None) -> Outcome:
    """Return the outcome of a call of ``sys.exit()``; one while an exception is handled is attributed to that."""
    if status is None or isinstance(status, int):
        return while_handling(from_exit_code(system_exit_code(status)))
    return from_exit_status(status, exit_failure(status, caller))


def while_handling(outcome: Outcome) -> Outcome:
    """Return a failure, with the exception that is being handled, if there is one, as its cause."""
    error = handled_exception()
    if error is None or outcome.in_order or isinstance(error, SystemExit):
        return outcome
    failure = failure_of(error)
    return replace(outcome, reason=_reason(failure), failure=failure)


def _reason(failure: Failure) -> str:
    name = failure.type.rpartition(".")[2]
    text = failure.message.strip()
    return f"{name}: {text}" if text else name


def from_block(error: BaseException) -> Outcome:
    """Return the outcome of a ``with`` block that an exception ended: code 1, in W&B even for ``sys.exit(0)``."""
    outcome = from_exception(error)
    return from_exit_code(1) if outcome.in_order else replace(outcome, exit_code=1)


def from_signal(number: int) -> Outcome:
    """Return the outcome of a fatal signal."""
    return Outcome(ExitState.KILLED, 128 + number, number, f"killed by {signal.Signals(number).name}")


def system_exit_code(code: object) -> int:
    """Return the exit code of a process that calls ``sys.exit(code)``."""
    return code if isinstance(code, int) else int(code is not None)
