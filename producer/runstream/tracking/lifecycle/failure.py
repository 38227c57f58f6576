"""The exception that ended a process, as text. Nothing here raises, whatever the exception is made of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from runstream_schemas.events import Failure

if TYPE_CHECKING:
    from types import FrameType

#: Longest message and traceback, in characters; what is too long is cut in the middle.
LONGEST_MESSAGE = 2_000
LONGEST_TRACEBACK = 32_000
#: How much of a long text is kept from its beginning; the end of a traceback is more important.
_HEAD = 0.25
_HEADING = "Traceback (most recent call last):\n"


def failure_of(error: BaseException) -> Failure:
    """Return the type, the message and the traceback of an exception, with the exceptions that it is chained to."""
    return Failure(
        type=_type_name(type(error)), message=message_of(error), traceback=_cut(_formatted(error), LONGEST_TRACEBACK)
    )


def exit_failure(status: Any, caller: FrameType | None) -> Failure:
    """Return the failure of ``sys.exit(status)`` with a text, at the place where it was called."""
    message = message_of(status)
    try:
        import traceback  # noqa: PLC0415 - only at the end of a failed run

        text = "".join([_HEADING, *traceback.format_stack(caller), f"SystemExit: {message}\n"])
    except BaseException:  # noqa: BLE001
        text = ""
    return Failure(type="SystemExit", message=message, traceback=_cut(text, LONGEST_TRACEBACK))


def handled_exception() -> BaseException | None:
    """Return the exception that the caller is handling, in an ``except`` or ``finally`` block; None without one."""
    return sys.exc_info()[1]


def message_of(error: Any) -> str:
    """Return the text of an exception, also if its ``__str__`` raises."""
    try:
        text = str(error)
    except BaseException as problem:  # noqa: BLE001
        text = f"<no text: __str__ raised {_type_name(type(problem))}>"
    return _cut(text, LONGEST_MESSAGE)


def _type_name(kind: type[BaseException]) -> str:
    """Return the name of a class as in a traceback: with its module, unless that is built in or the script."""
    try:
        module, name = str.__str__(kind.__module__), str.__str__(kind.__qualname__)
    except BaseException:  # noqa: BLE001
        return "exception"
    return _encodable(name if module in {"builtins", "__main__"} else f"{module}.{name}")[:LONGEST_MESSAGE]


def _formatted(error: BaseException) -> str:
    try:
        import traceback  # noqa: PLC0415 - only at the end of a failed run

        return "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 - such as MemoryError, or RecursionError in a long chain
        return ""


def _cut(text: str, longest: int) -> str:
    text = _encodable(str.__str__(text))  # a plain str: a subclass could override anything
    if len(text) <= longest:
        return text
    head = int(longest * _HEAD)
    left_out = len(text) - longest
    return f"{text[:head]}\n… [{left_out} characters left out] …\n{text[head + left_out :]}"


def _encodable(text: str) -> str:
    """Return text that UTF-8 can encode: lone surrogates as escapes."""
    return text.encode(errors="backslashreplace").decode()
