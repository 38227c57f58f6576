"""What Python does not offer an interface for: how a frame was left, and the code of ``sys.exit()``."""

from __future__ import annotations

import dis
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

#: The versions of CPython that :func:`frame_returned` is tested with.
_OLDEST, _NEWEST = (3, 11), (3, 14)


def frame_returned(frame: FrameType) -> bool | None:
    """Return whether a frame that has ended returned, instead of raising; None if it cannot be determined.

    Reads the last instruction that the frame executed, as CPython 3.11 to 3.14 record it.
    """
    if sys.implementation.name != "cpython" or not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return None
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


def observe_sys_exit(observer: Callable[[Any], None]) -> Callable[[], None]:
    """Have ``sys.exit()`` call a function with its argument first; return a function that undoes this.

    Python shows SystemExit to no hook. This works with every version, for callers that look ``sys.exit`` up when they
    call it. The code of other calls is not known; the exit status of the process has to be read instead.
    """
    original = sys.exit

    def sys_exit(status: Any = None, /) -> None:
        observer(status)
        original(status)

    def undo() -> None:
        if sys.exit is sys_exit:  # else it has been replaced since, and the replacement calls ours
            sys.exit = original

    sys.exit = sys_exit  # type: ignore[assignment]
    return undo
