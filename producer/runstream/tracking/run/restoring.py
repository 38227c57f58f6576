"""Files of runs that a training process downloads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runstream.download.downloader import Download, Downloader
from runstream.download.transfer_progress import TransferProgress
from runstream.exceptions import CommError
from runstream.server.api_connection import ApiConnection, NotFoundError
from runstream.server.discovery import resolve_server
from runstream.server.endpoints import run_address
from runstream.server.messages import NO_SERVER
from runstream.server.paths import NamedProject, parse_run
from runstream.settings import Settings, checked_settings, server_environ
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from typing import TextIO

_TIMEOUT_S = 30.0


def restore(
    name: str,
    run_path: str | None = None,
    replace: bool = False,  # noqa: FBT001, FBT002 - the signature of W&B
    root: str | os.PathLike[str] | None = None,
) -> TextIO | None:
    """Download a file of a run while no run is active; see :meth:`Run.restore`. ``root`` is the current folder if None.

    Raises ValueError also if no ``run_path`` is given.
    """
    if run_path is None:
        raise ValueError("run_path is required while no run is active: pass 'entity/project/id'")
    return restored_file(name, run_path, os.curdir if root is None else root, checked_settings({}), replace=replace)


def restored_file(
    name: str,
    run_path: str,
    root: str | os.PathLike[str],
    settings: Settings,
    *,
    replace: bool,
    only_local: bool = False,
) -> TextIO | None:
    """Return a file below ``root``, open for reading, which is downloaded if it does not exist or is to be replaced.

    Without the server, if ``only_local``, it is None if it does not exist. Raises as :meth:`Run.restore`.
    """
    if problem := problem_of_name(name):
        raise ValueError(f"Invalid name {name!r} of a file of a run: {problem}")
    target = Path(root, name)
    if target.exists() and (only_local or not replace):
        return target.open()
    if only_local:
        return None
    _download(name, run_path, target, settings)
    return target.open()


def _download(name: str, run_path: str, target: Path, settings: Settings) -> None:
    if (server := resolve_server(server_environ(os.environ, settings), settings.base_url)) is None:
        raise CommError(NO_SERVER)
    connection = ApiConnection(server, timeout=_TIMEOUT_S)
    try:
        named = parse_run(run_path, NamedProject(entity=settings.entity, project=settings.project))
        entity = named.entity or str(connection.get("/viewer")["entity"])
        address = run_address(RunPath(entity=entity, project=named.project, run_id=named.run_id))
        found = [one for one in connection.get(f"{address}/files", name=name)["files"] if one["state"] == "stored"]
        for one in found[:1]:
            file = Download(
                source=f"{address}/files/{quote(name)}", target=target, size=one["size"], sha256=one["sha256"]
            )
            with TransferProgress(name, one["size"]) as progress:
                Downloader(connection.client, progress=progress.add).download([file])
    except NotFoundError as error:
        raise ValueError(f"Cannot restore {name!r}: {error}") from error
    finally:
        connection.client.close()
    if not found:
        raise ValueError(f"Cannot restore {name!r}: the run {run_path} has no file of this name")
