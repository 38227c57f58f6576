"""``make demo``: four runs at once on the local stack, and what its HTTP API then has of them."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.rule import Rule

from runstream import Api, Error
from runstream.cli.run_view import run_view
from runstream_deploy.commands import start_detached
from runstream_deploy.demo.cases import CASES
from runstream_deploy.demo.rehearsal import Rehearsal, await_ends, await_stored, begin
from runstream_deploy.demo.training import PROJECT
from runstream_deploy.exceptions import StackError
from runstream_deploy.stack.data_folder import DataFolder, default_data_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream.cli.run_view import Snapshot


def main() -> int:
    """Run the demo; return the exit status."""
    console = Console()
    try:
        return run_demo(DataFolder(default_data_folder()), console)
    except (StackError, Error) as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def run_demo(folder: DataFolder, console: Console) -> int:
    """Start the stack unless it runs, train all cases at once, and print what the API has of each."""
    if folder.supervisor() is None:
        console.print(Rule("The local stack", align="left"))
        start_detached(folder, console)
    found = json.loads(folder.discovery.read_text())
    api = Api({"base_url": found["url"], "entity": found["entity"], "project": PROJECT}, api_key=found["token"])
    console.print(Rule("Training four networks at once on scikit-learn's digits", align="left"))
    rehearsals = train(folder)
    await_ends(rehearsals, console)
    snapshots = [await_stored(api, rehearsal) for rehearsal in rehearsals]
    for rehearsal, snapshot in zip(rehearsals, snapshots, strict=True):
        console.print(Rule(f"{rehearsal.case.name}: {rehearsal.case.story}", align="left"))
        console.print(run_view(snapshot, datetime.now(tz=UTC), console.width))
    return conclude(console, found, rehearsals, snapshots)


def train(folder: DataFolder) -> list[Rehearsal]:
    """Start all cases; their run folders lie in the folder ``demo`` of the data folder."""
    work = folder.path / "demo"
    work.mkdir(exist_ok=True)
    # Whatever the environment says, this stack is meant.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RUNSTREAM_", "WANDB_"))}
    environment["RUNSTREAM_DATA_DIR"] = str(folder.path)
    return [begin(case, work, environment) for case in CASES.values()]


def conclude(
    console: Console, found: dict[str, str], rehearsals: Sequence[Rehearsal], snapshots: Sequence[Snapshot]
) -> int:
    """Print a line for each run, the address, and what to try next; return 0 if every run is as it should be."""
    console.print(Rule("As the HTTP API has them", align="left"))
    well = True
    for rehearsal, snapshot in zip(rehearsals, snapshots, strict=True):
        state, path = snapshot.document["state"], f"{PROJECT}/{rehearsal.run_id}"
        right = state == rehearsal.case.expected and snapshot.ended
        well = well and right
        mark = "[green]✓[/]" if right else "[red]✗[/]"
        console.print(f"  {mark} {state:<9} {path:<18} {rehearsal.case.story}", highlight=False)
    program = os.path.relpath(Path(sys.executable).with_name("runstream"))
    shown = rehearsals[-1].run_id
    console.print(f"\n[bold]{found['url']}/{found['entity']}/{PROJECT}[/]", highlight=False)
    console.print(f"  {program} show {PROJECT}/{shown}     one run in the terminal", highlight=False)
    console.print(f"  {program} runs {PROJECT}              all runs of the project", highlight=False)
    console.print(f"  {program} down                     stops the stack; its data stays", highlight=False)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
