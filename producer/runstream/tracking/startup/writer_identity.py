"""What a process is in its run: its role, its label, and where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.tracking.startup.launcher import process_rank
from runstream.tracking.values.entries import config_entry
from runstream_schemas.events import Operation, Role, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.settings import Settings
    from runstream.tracking.values.entries import ConfigEntry


def writer_role(settings: Settings, environ: Mapping[str, str]) -> Role:
    """Return whether this process is the primary of its run or a worker."""
    if settings.mode != "shared":
        return Role.PRIMARY
    primary = settings.x_primary
    if primary is None:
        process = process_rank(environ)
        primary = process is None or process.rank == 0
    return Role.PRIMARY if primary else Role.WORKER


def writer_label(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the label of this process among the writers of its run; empty if it is the only one."""
    if settings.x_label is not None:
        return settings.x_label
    process = process_rank(environ)
    return "" if process is None or process.world_size == 1 else f"rank {process.rank}"


def metadata_entries(settings: Settings, environ: Mapping[str, str], found: Mapping[str, Any]) -> list[ConfigEntry]:
    """Return the entries that describe where this process runs: as the run's, and as the writer's in a shared run.

    A worker does not describe the run, which it may join late.
    """
    process = process_rank(environ)
    own = {**found, **({} if process is None else process.as_metadata())}
    entries: list[ConfigEntry] = []
    if writer_role(settings, environ) is Role.PRIMARY:
        entries += [config_entry(key, value, Scope.METADATA) for key, value in own.items()]
    if settings.mode == "shared":
        name = writer_label(settings, environ) or f"{found.get('host')}/{found.get('pid')}"
        entries.append([Scope.METADATA.value, Operation.SET.value, ["writers", name], own])
    return entries
