"""The settings with which a consumer that is not run by the supervisor finds its stack, as the client finds it."""

from __future__ import annotations

from collections.abc import Mapping

from runstream.exceptions import CommError
from runstream.server.discovery import discovery_path, resolve_server, same_origin
from runstream.server.endpoints import connect
from runstream.server.folders import stack_folder
from runstream_deploy.exceptions import StackError
from runstream_deploy.stack.composition import complete
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import StackSettings
from runstream_deploy.stack.stack_file import parse
from runstream_deploy.stack.state import read_state

_KAFKA, _POSTGRES, _URL = "RUNSTREAM_KAFKA", "RUNSTREAM_POSTGRES", "RUNSTREAM_URL"
_REQUEST_S = 10.0


def consumer_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a consumer needs and the environment lacks.

    They are those of the server that RUNSTREAM_URL names, of which the database must be given, or else of the local
    stack. If the environment has the broker, it must have the rest. Raises StackError if no stack is found, or it does
    not answer.
    """
    given = {name for name, value in environ.items() if value}
    if _KAFKA in given:
        return {}  # the offsets of another cluster do not belong into the database of the local stack
    found = _variables_of_server(environ) if _names_other_server(environ) else _variables_of_folder(environ)
    # Another process of the consumer's group has this name of an instance.
    return {name: value for name, value in found.items() if value and name not in given | {"RUNSTREAM_INSTANCE"}}


def _names_other_server(environ: Mapping[str, str]) -> bool:
    """Return whether RUNSTREAM_URL names a server that is not the local stack."""
    url = environ.get(_URL, "")
    local = resolve_server({name: value for name, value in environ.items() if name != _URL})
    return bool(url) and (local is None or not same_origin(local.url, url))


def _variables_of_server(environ: Mapping[str, str]) -> dict[str, str]:
    server = resolve_server(environ)
    assert server is not None, "the caller has seen RUNSTREAM_URL"  # noqa: S101
    if not environ.get(_POSTGRES):
        raise StackError(
            f"{_POSTGRES} is not set: {server.url} does not publish its database. Set it to the database for the "
            "consumer's tables and offsets (postgresql://user:password@host:port/database), or, if that stack runs on "
            "this machine, RUNSTREAM_DATA_DIR to its data folder"
        )
    try:
        connection = connect(server, _REQUEST_S)
    except CommError as error:
        raise StackError(f"{error} ({_URL}={server.url})") from error
    return {
        _KAFKA: connection.brokers,
        "RUNSTREAM_PREFIX": connection.prefix,
        "RUNSTREAM_PARTITIONS": str(connection.partitions),
    }


def _variables_of_folder(environ: Mapping[str, str]) -> dict[str, str]:
    folder = DataFolder(stack_folder(environ))
    if not discovery_path(environ).exists() or not folder.stack.exists():
        raise StackError(
            f"No local stack in {folder.path}: start one with `runstream up`, name its folder in RUNSTREAM_DATA_DIR, "
            f"or set {_KAFKA} (host:port) and {_POSTGRES} (postgresql://user:password@host:port/database)"
        )
    if folder.supervisor() is None:
        raise StackError(f"The local stack in {folder.path} is not running: start it with `runstream up`")
    stack, state = parse(folder.stack.read_text(), str(folder.stack)), read_state(folder)
    stored = {} if state is None else state.environment
    # Given by name, so that nothing of this process's environment is mixed in.
    fields = {name: stored.get(f"RUNSTREAM_{name.upper()}", "") for name in StackSettings.model_fields}
    settings = StackSettings.model_validate({name: value for name, value in fields.items() if value})
    return complete(settings, stack).variables()
