"""What W&B has beside runs and Runstream needs not: small functions and classes that others import from ``wandb``."""

from __future__ import annotations

import os
import secrets
import string
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from runstream.compat.import_hooks import add_import_hook as add_import_hook  # noqa: PLC0414 - wandb.util has it
from runstream.exceptions import UnsupportedError, UsageError
from runstream.messages import termwarn
from runstream.tracking.run.session import SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

StrPath = str | os.PathLike[str]
FilePathStr = str
LogicalPath = str


class RunDisabled:
    """The class of disabled runs in an old W&B; a disabled run is a ``Run`` here, so nothing is of this class."""


def login(  # noqa: PLR0917 - the signature of W&B
    key: str | None = None,
    relogin: bool | None = None,  # noqa: FBT001 - the signature of W&B
    host: str | None = None,
    force: bool | None = None,  # noqa: FBT001
    timeout: int | None = None,
    verify: bool = True,  # noqa: FBT001, FBT002
    **others: Any,
) -> bool:
    """Return True: there is nothing to log in to. A key of W&B is not used, and not kept.

    The server is the one that RUNSTREAM_URL and RUNSTREAM_API_KEY name, else the stack of this machine.
    """
    del key, relogin, force, timeout, verify, others
    if host is not None:
        termwarn(f"login(host={host!r}) is not used: the server is named by RUNSTREAM_URL", repeat=False)
    return True


def setup(settings: Any = None) -> None:
    """Do nothing: there is no service to be started before ``init()``."""
    del settings


def require(requirement: str | Iterable[str] | None = None, experiment: str | Iterable[str] | None = None) -> None:
    """Do nothing: what W&B has switched on by this is always there, or not there at all."""
    del requirement, experiment


def ensure_configured() -> None:
    """Do nothing: settings are read by ``init()``."""


def attach(*_arguments: Any, **_keywords: Any) -> Any:
    """Return the active run of the process.

    Raises:
        UsageError: There is none; runs of other processes are joined by ``init(id=..., mode="shared")``.
    """
    if SESSION.run is None:
        raise UsageError('there is no run to attach to here: call init(id=..., mode="shared") in each process')
    return SESSION.run


def sweep(*_arguments: Any, **_keywords: Any) -> Any:
    """Refuse: there are no sweeps.

    Raises:
        UnsupportedError: Always.
    """
    raise UnsupportedError("Runstream has no sweeps: let Optuna choose the parameters, one run a trial")


agent = controller = sweep


class _Features:
    """Takes any attribute and keeps none."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Forget it."""

    def __getattr__(self, name: str) -> _Features:
        return self


@contextmanager
def telemetry_context(run: Any = None, obj: Any = None) -> Iterator[Any]:
    """Yield what takes any ``feature.NAME = True``; nothing is kept or sent."""
    del run, obj
    yield _Features()


def generate_id(length: int = 8) -> str:
    """Return random letters and digits, fit to be the id of a run."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


def get_module(name: str, required: str | bool | None = None, lazy: bool = True) -> Any:  # noqa: FBT001, FBT002
    """Return a module by name, or None where there is none.

    Raises:
        UsageError: There is none, and it is required; the message is what was given for ``required``.
    """
    del lazy
    try:
        return import_module(name)
    except ImportError:
        if required:
            raise UsageError(str(required)) from None
        return None
