"""The output of ``up``, ``down`` and ``status``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import humanize
from rich.console import Console
from rich.table import Table

from runstream_deploy.stack.state import HEALTHY, ServiceCondition, StackPhase, StackState
from runstream_deploy.stack.status import StackStatus

_COLORS = {
    ServiceCondition.RUNNING: "green",
    ServiceCondition.EXTERNAL: "green",
    ServiceCondition.SILENT: "red",
    ServiceCondition.STALLED: "red",
    ServiceCondition.RESTARTING: "yellow",
    ServiceCondition.STARTING: "yellow",
    ServiceCondition.STOPPED: "dim",
    ServiceCondition.WAITING: "dim",
}


class Progress:
    """Show a start: a spinner with the current activity, and a line for each service once it is ready."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = console.status("starting")
        self._shown: dict[str, ServiceCondition] = {}
        self._message = ""
        self._began = time.monotonic()
        self._phase = StackPhase.STARTING

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner.stop()

    def show(self, state: StackState) -> bool:
        """Show what changed in a state; return whether the phase changed."""
        for row in state.services.values():
            if self._shown.get(row.name) != row.condition:
                self._shown[row.name] = row.condition
                self._line(row.name, row.condition, f"{row.version} {row.address}".strip(), row.problem)
        if state.message != self._message and state.phase in {StackPhase.STARTING, StackPhase.STOPPING}:
            self._message = state.message
            self._spinner.update(self._message)
            if not self._console.is_terminal and self._message:
                self._console.print(f"  {self._message}", style="dim", markup=False, highlight=False)
        if state.phase is StackPhase.RUNNING:
            self._spinner.stop()
        changed, self._phase = state.phase is not self._phase, state.phase
        return changed

    def _line(self, name: str, condition: ServiceCondition, where: str, problem: str) -> None:
        seconds = f"{time.monotonic() - self._began:5.1f} s"
        if condition in HEALTHY:
            self._console.print(f"  [green]✓[/] {name:<10} [dim]{where:<28} {seconds}[/]", highlight=False)
        elif condition in {ServiceCondition.RESTARTING, ServiceCondition.SILENT}:
            first = problem.partition("\n")[0]
            self._console.print(f"  [red]✗[/] {name:<10} {condition.value}: {first}", highlight=False)


def print_running(console: Console, url: str, data_dir: str, *, detached: bool) -> None:
    """Print the address and some commands to try next."""
    console.print(f"\n[bold green]Runstream is running at[/] [bold]{url}[/]", highlight=False)
    console.print(f"  data in {data_dir}", style="dim", markup=False, highlight=False)
    console.print("  runstream status        shows health, lag and memory", highlight=False)
    console.print("  runstream runs          lists the runs", highlight=False)
    stop = "  runstream down          stops it" if detached else "  Ctrl-C                  stops it"
    console.print(stop, highlight=False)


def print_status(console: Console, status: StackStatus) -> None:
    """Print a status as a table."""
    if status.pid is None:
        console.print(
            f"Runstream is {status.phase.value} [dim]({status.data_dir})[/]: {status.message}", highlight=False
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("service", "condition", "pid", "address", "version"):
        table.add_column(title)
    for title in ("age", "memory", "lag", "restarts"):
        table.add_column(title, justify="right")
    for row in status.services:
        table.add_row(
            row.name,
            f"[{_COLORS[row.condition]}]{row.condition.value}[/]",
            str(row.pid or ""),
            row.address,
            row.version,
            humanize.naturaldelta(time.time() - row.since) if row.since else "",
            _size(row.memory) if row.memory else "",
            "" if row.lag is None else str(row.lag),
            str(row.restarts or ""),
        )
    console.print(table)
    for row in status.services:
        if row.problem:
            console.print(f"\n[yellow]{row.name}[/]: ", end="")
            console.print(row.problem, markup=False, highlight=False)
    for group in status.quarantine:
        console.print(
            f"\n[yellow]quarantine[/]: {group.messages} messages of {group.topic} for {group.consumer}", end=""
        )
        age = humanize.naturaltime(time.time() - group.last)
        console.print(f", the last {age} ({group.stage}): {group.reason}", markup=False, highlight=False)
        console.print(f"  {group.command} lists them", highlight=False)
    color = "green" if status.healthy else "red"
    sick = [row.name for row in status.services if row.condition not in HEALTHY]
    problem = (
        ", ".join(sick) if status.phase is StackPhase.RUNNING else f"{status.phase.value} {status.message}".strip()
    )
    health = "healthy" if status.healthy else f"not healthy ({problem})"
    console.print(f"\n[{color}]{health}[/], {_size(status.memory)} in total, {status.url}", highlight=False)


def _size(count: int) -> str:
    return humanize.naturalsize(count, binary=True, format="%.0f")


def print_quarantine(console: Console, messages: Sequence[Mapping[str, Any]]) -> None:
    """Print messages in quarantine, each with its position, time, size and reason."""
    if not messages:
        console.print("Nothing is in quarantine", highlight=False)
    for row in messages:
        when = humanize.naturaltime(time.time() - row["quarantined"])
        place = f"{row['topic']}[{row['partition']}] offset {row['offset']}"
        console.print(f"{row['sink']}: {place}, {row['size'] or 0} bytes, {when}, {row['stage']}", highlight=False)
        console.print(f"  {row['reason']}", markup=False, highlight=False, soft_wrap=True)
