"""The optional packages that media need, and the error that names the one that is missing."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from runstream.exceptions import Error


def require(module: str, what: str, install: str = "runstream[media]") -> Any:
    """Import a module of an optional package; raises Error that names how to install it."""
    _require(module, what, install)
    return import_module(module)


@cache
def require_installed(module: str, what: str, install: str = "runstream[media]") -> None:
    """Raise Error unless a package is installed, which is needed where a file is encoded; it is not imported."""
    _require(module, what, install)


def module_of(value: Any) -> str:
    """Return the name of the package that defines the type of a value, or of a module."""
    name = value.__name__ if type(value).__name__ == "module" else type(value).__module__
    return str(name).partition(".")[0]


def _require(module: str, what: str, install: str) -> None:
    if not _is_installed(module.partition(".")[0]):
        raise Error(f"{what} needs the package {module.partition('.')[0]}: pip install '{install}'")


@cache
def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
