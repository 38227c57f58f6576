"""Which earlier writers a process continues when it resumes a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_schemas.events import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def continued_writers(writers: Sequence[Mapping[str, Any]], role: Role, label: str) -> tuple[bytes, ...]:
    """Return the earlier writers that a new writer continues: those of its role that no other writer continues yet.

    A primary writer continues the primary writers and their forked children; a worker continues the workers with its
    label.
    """
    followed = {earlier for writer in writers for earlier in writer["continues"]}
    if role is Role.PRIMARY:
        mine = [writer for writer in writers if writer["role"] in {Role.PRIMARY.value, Role.CHILD.value}]
    else:
        mine = [writer for writer in writers if (writer["role"], writer["label"]) == (role.value, label) and label]
    return tuple(sorted(bytes.fromhex(writer["writer"]) for writer in mine if writer["writer"] not in followed))
