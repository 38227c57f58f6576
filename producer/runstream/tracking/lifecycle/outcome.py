"""How a process ends, as far as it can tell itself."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from typing import Any

from runstream_schemas.events import ExitState

_LONGEST_REASON = 500
#: What a shell reports for a process that Ctrl-C ended; W&B says 255.
INTERRUPTED = 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a process: what its exit record holds."""

    state: ExitState
    exit_code: int = 0
    #: 0: none.
    signal: int = 0
    reason: str = ""
    #: Whether the end has a say in the state of the run.
    decides: bool = True
    #: Whether the exit status of the process says better; then this holds only where nobody knows that.
    by_status: bool = False

    def as_record(self) -> dict[str, Any]:
        """Return the payload of the exit record."""
        return {
            "state": self.state.value,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason[:_LONGEST_REASON],
            **({} if self.decides else {"decides": False}),
            **({"by_status": True} if self.by_status else {}),
        }

    @property
    def in_order(self) -> bool:
        """Whether the process ended as it was meant to."""
        return self.state is ExitState.FINISHED

    def stopped(self) -> Outcome:
        """Return this end as that of a run that somebody asked to stop."""
        reason = "stopped by a command" + (f"; {self.reason}" if self.reason else "")
        return replace(self, state=ExitState.KILLED, reason=reason)

    def preempted(self) -> Outcome:
        """Return this end as that of a process that was preempted."""
        reason = "preempted" + (f"; {self.reason}" if self.reason else "")
        return replace(self, state=ExitState.PREEMPTED, reason=reason)


#: By SystemExit, with a code that nobody was told.
LEFT_TO_STATUS = Outcome(ExitState.FINISHED, reason="SystemExit with a code that is not known", by_status=True)
#: The process has let go of the run, which goes on without it.
DETACHED = Outcome(ExitState.FINISHED, reason="detached", decides=False)


def from_exit_code(code: int) -> Outcome:
    """Return the outcome that an exit code stands for."""
    if code == 0:
        return Outcome(ExitState.FINISHED)
    return Outcome(ExitState.FAILED, code, reason=f"exit code {code}")


def from_exception(error: BaseException) -> Outcome:
    """Return the outcome of an exception that nobody caught."""
    if isinstance(error, KeyboardInterrupt):
        return Outcome(ExitState.KILLED, INTERRUPTED, signal.SIGINT, "interrupted (Ctrl-C)")
    if isinstance(error, SystemExit):
        return from_exit_code(system_exit_code(error.code))
    text = str(error).strip()
    name = type(error).__name__
    return Outcome(ExitState.FAILED, 1, reason=f"{name}: {text}" if text else name)


def from_block(error: BaseException) -> Outcome:
    """Return the outcome of a ``with`` block that was left by an exception: not the end that was planned, so code 1.

    That is so for ``sys.exit(0)`` too, as in W&B.
    """
    outcome = from_exception(error)
    return from_exit_code(1) if outcome.in_order else replace(outcome, exit_code=1)


def from_signal(number: int) -> Outcome:
    """Return the outcome of a signal that ends the process."""
    return Outcome(ExitState.KILLED, 128 + number, number, f"killed by {signal.Signals(number).name}")


def system_exit_code(code: object) -> int:
    """Return the exit code of the process that ``sys.exit(code)`` leads to."""
    if code is None:
        return 0
    return code if isinstance(code, int) else 1
