"""The command ``run``: run a script written for W&B without changing it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

#: A folder with a ``sitecustomize``, which every Python process imports when it starts.
_CHILDREN = Path(__file__).resolve().parent.parent / "compat" / "children"


def register(app: typer.Typer) -> None:
    """Add the command. All arguments after its name are passed to Python, including options."""
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
        typer.Argument(metavar="SCRIPT|-m MODULE [ARGS]...", help="Arguments of `python`, including its options."),
    ],
) -> None:
    """Run a script written for W&B without changing it: `import wandb` imports Runstream.

    `runstream run train.py --lr 0.1` runs `python train.py --lr 0.1` with the same output, exit status and signals.

    Python processes that the script starts import Runstream too.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *arguments], build_environment(os.environ))  # noqa: S606 - the user's own command


def build_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which every Python process imports Runstream as ``wandb``."""
    path = [str(_CHILDREN), *(folder for folder in [environ.get("PYTHONPATH")] if folder)]
    return {**environ, "PYTHONPATH": os.pathsep.join(path)}
