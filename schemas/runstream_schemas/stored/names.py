"""Names of files in runs and artifacts: relative paths that cannot leave the folder they are written to."""

from __future__ import annotations

import re

#: Length of a name, and of one of its parts, in bytes of UTF-8.
NAME_BYTES, PART_BYTES = 1024, 255
#: Most names, which need no further checks.
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
#: Control characters and lone surrogates.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def problem_of_name(name: str) -> str:
    """Return why a text is not the name of a file in a run or an artifact, or an empty string if it is one.

    A name has parts separated by ``/``, of which none is empty, ``.`` or ``..``; a backslash is an ordinary character.
    """
    return "" if len(name) <= PART_BYTES and _PLAIN.fullmatch(name) else _problem(name)


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if found := _UNPRINTABLE.search(name):
        return f"it contains the character {found[0]!r}"
    if len(name.encode()) > NAME_BYTES:
        return f"it has more than {NAME_BYTES} bytes"
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "expected a relative path without empty parts, '.' and '..'"
    if any(len(part.encode()) > PART_BYTES for part in parts):
        return f"one of its parts has more than {PART_BYTES} bytes"
    return ""
