"""``make demo``: four concurrent runs on the local stack, and what its HTTP API returns for them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from runstream import Api, Error
from runstream.cli.run_view import Snapshot, run_view
from runstream.server.folders import stack_folder
from runstream_deploy.cli.commands import start_detached
from runstream_deploy.demo.case_run import CaseRun, await_ends, await_stored, start
from runstream_deploy.demo.cases import CASES
from runstream_deploy.demo.training import PROJECT
from runstream_deploy.exceptions import StackError
from runstream_deploy.stack.data_folder import DataFolder


def main() -> int:
    """Run the demo; return the exit status."""
    console = Console()
    try:
        return run_demo(DataFolder(stack_folder(os.environ)), console)
    except (StackError, Error) as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def run_demo(folder: DataFolder, console: Console) -> int:
    """Start the stack unless it runs, train all cases, and print each run as the API returns it."""
    if folder.supervisor() is None:
        console.print(Rule("The local stack", align="left"))
        start_detached(folder, console)
    found = json.loads(folder.discovery.read_text())
    api = Api({"base_url": found["url"], "entity": found["entity"], "project": PROJECT}, api_key=found["token"])
    console.print(Rule("Training four networks concurrently on scikit-learn's digits", align="left"))
    case_runs = train(folder)
    await_ends(case_runs, console)
    snapshots = [await_stored(api, case_run) for case_run in case_runs]
    for case_run, snapshot in zip(case_runs, snapshots, strict=True):
        console.print(Rule(f"{case_run.case.name}: {case_run.case.story}", align="left"))
        console.print(run_view(snapshot, datetime.now(tz=UTC), console.width))
    return print_results(console, found, case_runs, snapshots)


def train(folder: DataFolder) -> list[CaseRun]:
    """Start all cases; their run folders are in the folder ``demo`` of the data folder."""
    work = folder.path / "demo"
    work.mkdir(exist_ok=True)
    # Use this stack, whatever the environment names.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RUNSTREAM_", "WANDB_"))}
    environment["RUNSTREAM_DATA_DIR"] = str(folder.path)
    return [start(case, work, environment) for case in CASES.values()]


def print_results(
    console: Console, found: dict[str, str], case_runs: Sequence[CaseRun], snapshots: Sequence[Snapshot]
) -> int:
    """Print a line for each run, the address, and commands to try; return 0 if every run ended as expected."""
    console.print(Rule("As the HTTP API returns them", align="left"))
    as_expected = True
    for case_run, snapshot in zip(case_runs, snapshots, strict=True):
        state, path = snapshot.document["state"], f"{PROJECT}/{case_run.run_id}"
        right = state == case_run.case.expected and snapshot.ended
        as_expected = as_expected and right
        mark = "[green]✓[/]" if right else "[red]✗[/]"
        console.print(f"  {mark} {state:<9} {path:<18} {case_run.case.story}", highlight=False)
    program = os.path.relpath(Path(sys.executable).with_name("runstream"))
    shown = case_runs[-1].run_id
    console.print(f"\n[bold]{found['url']}/{found['entity']}/{PROJECT}[/]", highlight=False)
    kept = [one for one in case_runs if one.case.keeps_outcome]
    for one in kept:
        page = f"{found['url']}/{found['entity']}/{PROJECT}/runs/{one.run_id}"
        console.print(f"  {page}  pictures, a table and a chart; its files and artifacts", highlight=False)
        console.print(f"  {program} files {PROJECT}/{one.run_id}    the files of a run", highlight=False)
    console.print(f"  {program} show {PROJECT}/{shown}     one run in the terminal", highlight=False)
    console.print(f"  {program} runs {PROJECT}              all runs of the project", highlight=False)
    console.print(f"  {program} down                     stops the stack; its data stays", highlight=False)
    return 0 if as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
