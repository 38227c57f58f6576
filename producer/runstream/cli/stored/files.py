"""The command ``files``: lists, downloads, uploads and deletes the files of a run."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import humanize
import typer
from rich.table import Table
from rich.text import Text

from runstream.cli.console import output, print_note
from runstream.cli.find import RunPath, find_run
from runstream.download.file_cache import sha256_of
from runstream.download.transfer_progress import TransferProgress
from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.files import File, download_files
from runstream.public_api.run import Run
from runstream.terminal.terminal import printable
from runstream_schemas import values

_PAGE = 500
#: Colors of states that are not ``stored``.
_COLORS = {"uploading": "yellow", "dropped": "red"}


class Action(StrEnum):
    """What is done with the files."""

    LS = "ls"
    GET = "get"
    PUT = "put"
    RM = "rm"


def files(
    run: RunPath,
    action: Annotated[Action, typer.Argument(help="List, download, upload or delete.")] = Action.LS,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Files of the run; with put, local files.", show_default=False),
    ] = None,
    *,
    pattern: Annotated[
        str | None, typer.Option("--pattern", "-p", help="Instead of names, a pattern as of SQL's LIKE: %.png")
    ] = None,
    root: Annotated[
        Path, typer.Option("--root", help="The local folder: names are relative to it.", file_okay=False)
    ] = Path(),
    replace: Annotated[bool, typer.Option("--replace", help="With get, replace existing files.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="How many files are listed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With ls, print JSON.")] = False,
) -> None:
    """List the files of a run, or download (get), upload (put) or delete (rm) some of them.

    Examples: `runstream files RUN`, `runstream files RUN get -p '%.png' --root pictures`. A repeated get keeps files
    that have their content already.
    """
    found = find_run(Api(), run)
    if names and pattern:
        raise UsageError(f"Invalid names with --pattern {pattern!r}: use one of them")
    if action is Action.LS:
        return _list(list(islice(_chosen(found, names, pattern), limit)), as_json=as_json)
    if not names and not pattern:
        raise UsageError(f"Missing names of files for {action.value}, or --pattern")
    if action is Action.PUT:
        return _put(found, names or [], root)
    chosen = _required(_chosen(found, names, pattern), names, pattern)
    if action is Action.GET:
        return _get(chosen, root, replace=replace, is_named=bool(names))
    for file in chosen:
        file.delete()
        typer.echo(f"Deleted {printable(file.name)}")
    return None


def files_table(found: Sequence[File]) -> Table:
    """Return a table of files with their sizes and states."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", overflow="fold")
    table.add_column("size", no_wrap=True, justify="right")
    table.add_column("state", overflow="fold")
    for file in found:
        state = Text(file.state, style=_COLORS.get(file.state, "dim"))
        if file.reason:
            state.append(f": {printable(file.reason)}")
        table.add_row(Text(printable(file.name)), humanize.naturalsize(file.size, format="%.1f"), state)
    return table


def _list(found: Sequence[File], *, as_json: bool) -> None:
    if as_json:
        typer.echo(values.dump([_json(file) for file in found]))
    elif found:
        output().print(files_table(found))
    else:
        print_note("No files")


def _json(file: File) -> dict[str, object]:
    names = ("name", "size", "sha256", "mimetype", "policy", "state", "reason", "updated_at", "url")
    return {name: getattr(file, name) for name in names}


def _chosen(run: Run, names: Sequence[str] | None, pattern: str | None) -> Sequence[File]:
    return run.files(names or None, pattern, per_page=_PAGE)


def _required(found: Sequence[File], names: Sequence[str] | None, pattern: str | None) -> list[File]:
    """Return the files; raises UsageError if one that was named does not exist."""
    known = list(found)
    missing = sorted({*(names or ())} - {file.name for file in known})
    if missing or not known:
        what = f"no file named {', '.join(map(repr, missing))}" if missing else f"no file matches {pattern!r}"
        raise UsageError(f"The run has {what}: list its files with `runstream files RUN`")
    return known


def _get(files: Sequence[File], root: Path, *, replace: bool, is_named: bool) -> None:
    """Download files; of those that a pattern selects, the ones that are not stored are left out with a note."""
    for file in files:
        if file.state != "stored" and not is_named:
            print_note(f"{file.name} is not stored: {file.reason or file.state}")
    try:
        missing = [file for file in files if (is_named or file.state == "stored") and not _has(root, file)]
        existing = [path for file in missing if (path := file.target(root)).exists()]
        if existing and not replace:
            raise UsageError(f"{str(existing[0])!r} exists with other content: use --replace to replace it")
        with TransferProgress("files", sum(file.size for file in missing)) as progress:
            download_files(missing, root, progress.add)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    for file in missing:
        typer.echo(f"Downloaded {printable(file.name)}")


def _has(root: Path, file: File) -> bool:
    target = file.target(root)
    return target.is_file() and target.stat().st_size == file.size and sha256_of(target) == file.sha256


def _put(run: Run, paths: Sequence[str], root: Path) -> None:
    for path in paths:
        try:
            file = run.upload_file(path, str(root))
        except (ValueError, OSError) as error:
            raise UsageError(str(error)) from error
        typer.echo(f"Uploaded {printable(file.name)}")
