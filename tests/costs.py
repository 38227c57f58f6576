"""Counting the work of a function, which does not depend on the load of the machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def instructions(function: Callable[[], object]) -> int:
    """Return how many instructions of Python a function executes, in what it calls as well."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def growth(make: Callable[[int], Callable[[], object]], size: int) -> float:
    """Return how many times as much work a function takes for twice the size; ``make`` prepares it for a size.

    About 2 for linear work, 4 for quadratic work.
    """
    return instructions(make(2 * size)) / instructions(make(size))
