"""The commands ``cache info`` and ``cache gc``."""

from __future__ import annotations

from typing import Annotated

import typer
from humanize import naturalsize

from runstream.artifacts.fetching import cache_limit
from runstream.cli.console import output, write_lines
from runstream.download.file_cache import FileCache
from runstream_schemas import values


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = typer.Typer(help="Show and shrink the cache of downloaded files.", no_args_is_help=True)
    for command in (info, gc):
        commands.command()(command)
    app.add_typer(commands, name="cache")


def info(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show where the cache is, how many files it has, and its limit (setting cache_limit_gb)."""
    cache = FileCache()
    use, limit = cache.use(), cache_limit()
    if as_json:
        found = {"folder": str(cache.folder), "files": use.files, "size": use.size, "limit": limit}
        write_lines(values.dump(found) + "\n")
        return
    output().print(f"{cache.folder}: {use.files} files, {naturalsize(use.size)} of at most {naturalsize(limit)}")


def gc(
    size_gb: Annotated[
        float | None, typer.Argument(min=0, metavar="[GIGABYTES]", help="Size to keep. Default: the limit; 0 is empty.")
    ] = None,
) -> None:
    """Delete the files that were not used for the longest time, and copies that killed programs left.

    Example: `runstream cache gc 20` keeps 20 GB of those used last.
    """
    deleted = FileCache().shrink(cache_limit() if size_gb is None else int(size_gb * 1e9))
    output().print(f"Deleted {deleted.files} files, {naturalsize(deleted.size)}")
