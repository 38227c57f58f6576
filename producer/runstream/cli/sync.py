"""The command ``sync``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def sync(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, or folders with a `runstream` folder. Default: the current folder."),
    ] = None,
) -> None:
    """Deliver recorded runs that were offline or whose shipper exited."""
    # Not at the top: the shipper's libraries are large, and other commands do not need them.
    from runstream.shipper.sync import sync as deliver  # noqa: PLC0415

    raise typer.Exit(deliver([str(folder) for folder in folders or []], console=Console(stderr=True)))
