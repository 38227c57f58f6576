"""The commands ``artifact ls``, ``get``, ``put``, ``verify`` and ``rm``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from humanize import naturalsize
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.exceptions import ArtifactError
from runstream.artifacts.names import checked_aliases, checked_tags
from runstream.cli.console import output, print_note, write_lines
from runstream.exceptions import Error, UsageError
from runstream.public_api.api import Api
from runstream.public_api.artifacts import ArtifactCollection
from runstream.terminal.terminal import Terminal
from runstream.tracking.artifacts.records import WaitingLine, artifact_of
from runstream_schemas import values
from runstream_schemas.stored.artifact_names import artifact_name, parse_reference

Name = Annotated[str, typer.Argument(metavar="NAME", help="[ENTITY/][PROJECT/]NAME[:VERSION, ALIAS or DIGEST]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = typer.Typer(help="List, download, upload, verify and delete artifacts.", no_args_is_help=True)
    for command in (ls, get, put, verify, rm):
        commands.command()(_usage_errors()(command))
    app.add_typer(commands, name="artifact")


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Raise UsageError, which is printed without a traceback, for names, paths and files that are refused."""
    try:
        yield
    except (Error, BrokenPipeError):
        raise
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error


def ls(
    place: Annotated[
        str | None,
        typer.Argument(metavar="[PLACE]", help="[ENTITY/]PROJECT, or with --versions [ENTITY/][PROJECT/]NAME."),
    ] = None,
    *,
    type: Annotated[str | None, typer.Option("--type", "-t", help="Artifacts of this type.")] = None,  # noqa: A002
    versions: Annotated[bool, typer.Option("--versions", help="List the versions of an artifact.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the artifacts of a project, or the versions of an artifact, newest first.

    Examples: `runstream artifact ls llm --type model`, `runstream artifact ls llm/weights --versions`.
    """
    api = Api()
    if versions:
        if place is None:
            raise UsageError("Missing name: `runstream artifact ls --versions NAME`")
        _print_versions(list(islice(api.collection_named(place).artifacts(min(limit, 1000)), limit)), as_json=as_json)
        return
    found = list(islice(api.artifact_collections(place or "", type, min(limit, 1000)), limit))
    if not (found or as_json or type):
        print_note(f"No artifacts in {place or 'the default project'}; `--versions NAME` lists those of an artifact")
        return
    _print_collections(found, as_json=as_json)


def get(
    name: Name,
    *,
    root: Annotated[Path | None, typer.Option(help="The folder. Default: artifacts/NAME:VERSION.")] = None,
    type: Annotated[str | None, typer.Option("--type", "-t", help="The type that it must have.")] = None,  # noqa: A002
    prefix: Annotated[str | None, typer.Option(help="Only files whose path begins with this.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do without the cache.")] = False,
) -> None:
    """Download an artifact; print the folder. An interrupted download is continued by the next one.

    Example: `runstream artifact get llm/weights:best --root model`.
    """
    artifact = Api().artifact(name, type)
    print_note(f"{artifact.qualified_name}: {artifact.file_count} files, {naturalsize(artifact.size)}")
    write_lines(artifact.download(root, path_prefix=prefix, skip_cache=no_cache) + "\n")


def put(
    path: Annotated[str, typer.Argument(help="A file, a folder, or a URI such as s3://bucket/path.")],
    *,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="[ENTITY/][PROJECT/]NAME[:ALIAS]. Default: name of the path.")
    ] = None,
    type: Annotated[str, typer.Option("--type", "-t", help="The type.")] = "dataset",  # noqa: A002
    alias: Annotated[list[str] | None, typer.Option("--alias", "-a", help="An alias. Repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag. Repeatable.")] = None,
    description: Annotated[str | None, typer.Option("--description", "-d", help="The description.")] = None,
    run: Annotated[str | None, typer.Option("--id", help="Id of the run that logs it. Default: a new one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Upload a file, a folder or a reference as an artifact; print its name and version.

    Example: `runstream artifact put model.pt --name llm/weights --type model --alias best`.
    """
    import runstream  # noqa: PLC0415 - the recording half of the client

    Api()  # raises CommError if no server is known, for which the run would wait
    given = parse_reference(name or artifact_name(_last_name(path)))
    aliases = checked_aliases([*(alias or []), *([given.version] if given.version else [])])
    tags = checked_tags(tag)
    artifact = artifact_of(path, given.name, type)
    artifact.description = description
    settings = {"silent": True, "console": "off", "x_disable_stats": True}
    with runstream.init(
        entity=given.entity, project=given.project, id=run, job_type="auto", settings=settings
    ) as active:
        active.log_artifact(artifact, aliases=aliases, tags=tags)
        if (pending := artifact.pending) is not None:
            line = WaitingLine(Terminal(), pending.run_folder, artifact.name)  # the run itself prints nothing
            replace(pending, progress=line).wait(None)
        artifact.wait()
    _print_versions([artifact], as_json=as_json)


def verify(
    name: Name,
    folder: Annotated[Path | None, typer.Argument(help="The folder. Default: artifacts/NAME:VERSION.")] = None,
) -> None:
    """Check that a folder has the files of an artifact, with their content, and no others.

    Example: `runstream artifact verify llm/weights:best model`.
    """
    artifact = Api().artifact(name)
    artifact.verify(folder)
    output().print(f"All {artifact.file_count} files of {artifact.qualified_name} are as they were logged")


def rm(
    name: Name,
    *,
    delete_aliases: Annotated[
        bool, typer.Option("--delete-aliases", help="Also if it has aliases other than latest, or links.")
    ] = False,
    all_versions: Annotated[bool, typer.Option("--all", help="Delete the artifact with all its versions.")] = False,
) -> None:
    """Delete a version of an artifact, or all of them.

    Examples: `runstream artifact rm llm/weights:v3`, `runstream artifact rm llm/weights --all`.
    """
    reference = parse_reference(name)
    if all_versions:
        if reference.version:
            raise UsageError(f"Invalid name {name!r}: with --all, name the artifact without a version")
        collection = Api().collection_named(name)
        collection.delete()
        output().print(f"Deleted {collection.id}")
        return
    if not reference.version:
        raise UsageError(f"Invalid name {name!r}: expected NAME:VERSION; --all deletes all versions")
    artifact = Api().artifact(name)
    try:
        artifact.delete(delete_aliases=delete_aliases)
    except ArtifactError as error:
        raise UsageError(f"{error} (--delete-aliases)") from error
    output().print(f"Deleted {artifact.qualified_name}")


def _last_name(path: str) -> str:
    """Return the last name of a path or a URI; that of the folder itself for ``.``."""
    text = path if "://" in path else os.path.abspath(path)  # noqa: PTH100 - a text
    return os.path.basename(text.rstrip("/"))  # noqa: PTH119


def _print_versions(found: Iterable[Artifact], *, as_json: bool) -> None:
    rows = [
        {
            "name": one.qualified_name,
            "type": one.type,
            "aliases": one.aliases,
            "tags": one.tags,
            "size": one.size,
            "files": one.file_count,
            "digest": one.digest,
            "created_at": one.created_at,
        }
        for one in found
    ]
    _print(rows, ("name", "type", "aliases", "size", "files", "created_at"), as_json=as_json)


def _print_collections(found: Iterable[ArtifactCollection], *, as_json: bool) -> None:
    rows = [
        {
            "name": one.id,
            "type": one.type,
            "versions": one.load()["versions"],
            "aliases": one.aliases,
            "tags": one.tags,
            "updated_at": one.updated_at,
        }
        for one in found
    ]
    _print(rows, ("name", "type", "versions", "aliases", "updated_at"), as_json=as_json)


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        write_lines(values.dump(rows) + "\n")
        return
    if not rows:
        print_note("No artifacts found")
        return
    table = Table(*columns, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(_shown(name, row[name])) for name in columns))
    output().print(table)


def _shown(name: str, value: Any) -> str:
    if name == "size":
        return naturalsize(value)
    return ", ".join(value) if isinstance(value, list) else str(value)
