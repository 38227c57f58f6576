"""Whose work a process carries on when it resumes a run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_schemas.events import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def continued(writers: Sequence[Mapping[str, Any]], role: Role, label: str) -> tuple[bytes, ...]:
    """Return whose work a process carries on: that of the same part in the run, as far as nobody else did already.

    A primary writer continues the primary ones and their forked children, a worker the workers of its label.
    """
    followed = {earlier for writer in writers for earlier in writer["continues"]}
    if role is Role.PRIMARY:
        mine = [writer for writer in writers if writer["role"] in {Role.PRIMARY.value, Role.CHILD.value}]
    else:
        mine = [writer for writer in writers if (writer["role"], writer["label"]) == (role.value, label) and label]
    return tuple(sorted(bytes.fromhex(writer["writer"]) for writer in mine if writer["writer"] not in followed))
