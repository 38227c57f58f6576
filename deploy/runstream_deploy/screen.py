"""What ``runstream up | down | status`` print."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.table import Table

from runstream_deploy.stack.state import Condition, Phase

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from runstream_deploy.stack.state import StackState
    from runstream_deploy.stack.status import Status

_COLOURS = {
    Condition.RUNNING: "green",
    Condition.OUTSIDE: "green",
    Condition.SILENT: "red",
    Condition.RESTARTING: "yellow",
    Condition.STARTING: "yellow",
    Condition.STOPPED: "dim",
    Condition.WAITING: "dim",
}


class Progress:
    """Shows a start: a spinner with what is going on, and a line for each service as it comes up."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = console.status("starting")
        self._shown: dict[str, Condition] = {}
        self._message = ""
        self._began = time.monotonic()
        self._phase = Phase.STARTING

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spinner.stop()

    def show(self, state: StackState) -> bool:
        """Show what is new in a state; return whether the stack has come to another phase."""
        for row in state.services.values():
            if self._shown.get(row.name) != row.condition:
                self._shown[row.name] = row.condition
                self._line(row.name, row.condition, f"{row.version} {row.address}".strip(), row.problem)
        if state.message != self._message and state.phase in {Phase.STARTING, Phase.STOPPING}:
            self._message = state.message
            self._spinner.update(self._message)
            if not self._console.is_terminal and self._message:
                self._console.print(f"  {self._message}", style="dim", markup=False, highlight=False)
        if state.phase is Phase.RUNNING:
            self._spinner.stop()
        changed, self._phase = state.phase is not self._phase, state.phase
        return changed

    def _line(self, name: str, condition: Condition, where: str, problem: str) -> None:
        seconds = f"{time.monotonic() - self._began:5.1f} s"
        if condition in {Condition.RUNNING, Condition.OUTSIDE}:
            self._console.print(f"  [green]✓[/] {name:<10} [dim]{where:<28} {seconds}[/]", highlight=False)
        elif condition in {Condition.RESTARTING, Condition.SILENT}:
            first = problem.partition("\n")[0]
            self._console.print(f"  [red]✗[/] {name:<10} {condition.value}: {first}", highlight=False)


def say_running(console: Console, url: str, data_dir: str, *, detached: bool) -> None:
    """Print the address and what to do next."""
    console.print(f"\n[bold green]Runstream runs at[/] [bold]{url}[/]", highlight=False)
    console.print(f"  data in {data_dir}", style="dim", markup=False, highlight=False)
    console.print("  runstream status        health, lag and memory", highlight=False)
    console.print("  runstream runs          the runs it has", highlight=False)
    stop = "  runstream down          stops it" if detached else "  Ctrl-C                  stops it"
    console.print(stop, highlight=False)


def show_status(console: Console, status: Status) -> None:
    """Print a status as a table."""
    if status.pid is None:
        console.print(
            f"Runstream is {status.phase.value} [dim]({status.data_dir})[/]: {status.message}", highlight=False
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("service", "state", "pid", "address", "version"):
        table.add_column(title)
    for title in ("memory", "lag", "restarts"):
        table.add_column(title, justify="right")
    for row in status.services:
        table.add_row(
            row.name,
            f"[{_COLOURS[row.condition]}]{row.condition.value}[/]",
            str(row.pid or ""),
            row.address,
            row.version,
            f"{row.memory / 2**20:.0f} MiB" if row.memory else "",
            "" if row.lag is None else str(row.lag),
            str(row.restarts or ""),
        )
    console.print(table)
    for row in status.services:
        if row.problem:
            console.print(f"\n[yellow]{row.name}[/]: ", end="")
            console.print(row.problem, markup=False, highlight=False)
    colour = "green" if status.healthy else "red"
    word = "healthy" if status.healthy else f"not healthy ({status.phase.value} {status.message})".replace(" )", ")")
    console.print(f"\n[{colour}]{word}[/], {status.memory / 2**20:.0f} MiB in all, {status.url}", highlight=False)
