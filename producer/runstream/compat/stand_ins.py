"""Functions and classes that programs import from ``wandb`` and that do little or nothing in Runstream."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from runstream.exceptions import UsageError
from runstream.import_hooks import add_import_hook as add_import_hook  # noqa: PLC0414 - wandb.util has it
from runstream.messages import termwarn
from runstream.run_names import generate_run_id
from runstream.tracking.run.session import SESSION
from runstream.tracking.values.encoder import DEFAULT_ENCODER
from runstream_schemas.stored.artifact_names import artifact_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

StrPath = str | os.PathLike[str]
FilePathStr = str
LogicalPath = str
generate_id = generate_run_id
make_artifact_name_safe = artifact_name


class RunDisabled:
    """The class of disabled runs in old versions of W&B. It has no instances: a disabled run is a ``Run``."""


def login(  # noqa: PLR0917 - the signature of W&B
    key: str | None = None,
    relogin: bool | None = None,  # noqa: FBT001 - the signature of W&B
    host: str | None = None,
    force: bool | None = None,  # noqa: FBT001
    timeout: int | None = None,
    verify: bool = True,  # noqa: FBT001, FBT002
    **others: Any,
) -> bool:
    """Return True. All arguments are ignored, and no W&B key is stored.

    The server and the key are set by RUNSTREAM_URL and RUNSTREAM_API_KEY. The default is the local stack.
    """
    del key, relogin, force, timeout, verify, others
    if host is not None:
        termwarn(f"Ignored login(host={host!r}): set RUNSTREAM_URL to choose a server", repeat=False)
    return True


class Setup(NamedTuple):
    """What ``setup()`` returns."""

    #: The settings of the environment and of files.
    settings: Any


def setup(settings: Any = None) -> Setup:
    """Return the settings of later runs; nothing is started. The argument is ignored."""
    from runstream.settings import resolve  # noqa: PLC0415 - takes long to import

    del settings
    return Setup(resolve({}))


class _Api:
    """The object ``wandb.api``, which libraries ask whether the user is logged in."""

    @property
    def api_key(self) -> str:
        """A text that is not a key: logging in is not needed."""
        return "runstream"

    @property
    def default_entity(self) -> str:
        """The entity of runs that do not specify one."""
        return str(_public_api().default_entity)

    def viewer(self) -> dict[str, Any]:
        """Return a dict with the entity."""
        return {"entity": self.default_entity}


def _public_api() -> Any:
    from runstream.public_api.api import Api  # noqa: PLC0415 - takes long to import

    return Api()


API = _Api()
#: Libraries that W&B has changed, of which there are none.
PATCHED: Mapping[str, Sequence[Any]] = {"tensorboard": [], "keras": [], "gym": []}


def never(*_arguments: Any, **_keywords: Any) -> bool:
    """Return False."""
    return False


def json_friendly(obj: Any) -> tuple[Any, bool]:
    """Return a value as JSON can represent it, and whether it was converted."""
    converted = DEFAULT_ENCODER.value(obj)
    return converted, type(converted) is not type(obj)


def json_dumps_safer(obj: Any, **arguments: Any) -> str:
    """Return the JSON text of a value, with arrays, tensors, dates and the like converted as ``log()`` does."""
    return json.dumps(DEFAULT_ENCODER.value(obj), **arguments)


def require(requirement: str | Iterable[str] | None = None, experiment: str | Iterable[str] | None = None) -> None:
    """Do nothing; accepted for W&B compatibility."""
    del requirement, experiment


def ensure_configured() -> None:
    """Do nothing; accepted for W&B compatibility."""


def attach(*_arguments: Any, **_keywords: Any) -> Any:
    """Return the active run of the process.

    Raises:
        UsageError: There is no active run. Use ``init(id=..., mode="shared")`` for a run of another process.
    """
    if SESSION.run is None:
        raise UsageError('No active run to attach to: call init(id=..., mode="shared") in each process')
    return SESSION.run


def sweep(*_arguments: Any, **_keywords: Any) -> Any:
    """Raise, since Runstream has no sweeps.

    Raises:
        UsageError: Always.
    """
    raise UsageError("Runstream has no sweeps: use Optuna, for example, with one run for each trial")


agent = controller = sweep


class _Features:
    """Accepts any attribute and stores none."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> _Features:
        return self


@contextmanager
def telemetry_context(run: Any = None, obj: Any = None) -> Iterator[Any]:
    """Yield an object that accepts any ``feature.NAME = True``; nothing is stored or sent."""
    del run, obj
    yield _Features()


def get_module(name: str, required: str | bool | None = None, lazy: bool = True) -> Any:  # noqa: FBT001, FBT002
    """Return a module by name, or None if it is not installed.

    Raises:
        UsageError: It is not installed, and ``required`` is set; that is the message.
    """
    del lazy
    try:
        return import_module(name)
    except ImportError:
        if required:
            raise UsageError(str(required)) from None
        return None
