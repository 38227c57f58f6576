"""The command that runs a script written for W&B, unchanged: ``run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Holds a ``sitecustomize`` that each Python runs as it starts.
_CHILDREN = Path(__file__).resolve().parent.parent / "compat" / "children"


def register(app: typer.Typer) -> None:
    """Add the command; what follows its name is Python's and the script's, options and all."""
    app.command(
        "run",
        context_settings={
            "ignore_unknown_options": True,
            "allow_interspersed_args": False,
            "help_option_names": ["--help"],
        },
    )(run)


def run(
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="SCRIPT|-m MODULE [ARGS]...", help="What would follow `python`, its options included."),
    ],
) -> None:
    """Run a script written for W&B, unchanged: whatever imports wandb in it gets Runstream.

    It is Python itself that runs, with its arguments, output, exit status and signals; Python processes that the script
    starts get Runstream too. `runstream run train.py --lr 0.1` is `python train.py --lr 0.1`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *arguments], environment(os.environ))  # noqa: S606 - the user's own command


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which every Python has Runstream answer for ``wandb``."""
    path = [str(_CHILDREN), *(folder for folder in [environ.get("PYTHONPATH")] if folder)]
    return {**environ, "PYTHONPATH": os.pathsep.join(path)}
