"""Provides ``wandb`` for imports, and a distribution of that name for ``importlib.metadata``.

The finder is the first one on ``sys.meta_path`` and writes nothing to disk; an installed W&B is not changed. This
module imports little, because ``runstream run`` imports it in every Python process of a script.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, cast

from runstream.compat.names import MODULES, ROOT, VERSION
from runstream.compat.unavailable import placeholder, reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.abc import Loader
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType


def install() -> None:
    """Provide ``wandb`` for later imports, once; raises ImportError if the real one is imported already."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    if ROOT in sys.modules:
        raise ImportError(
            "The real wandb is already imported, and modules that imported it would keep using it: import "
            "runstream.compat.wandb before everything else, or start the script with `runstream run SCRIPT`",
            name=ROOT,
        )
    sys.meta_path.insert(0, Finder())


class Finder:
    """Finds the modules that Runstream provides, and their distribution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module, or None if Runstream does not provide it."""
        del path, target
        if fullname not in MODULES:
            return None
        return ModuleSpec(fullname, cast("Loader", _Loader()), origin="runstream", is_package=True)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        """Return the distribution if it or all distributions are requested."""
        name = None if context is None else context.name
        if name is not None and name.lower() != ROOT:
            return []
        # Not at the top: it takes longer than the rest of this module, and few processes need it.
        from runstream.compat.distribution import WandbDistribution  # noqa: PLC0415

        return [WandbDistribution()]


class _Loader:
    """Creates modules whose attributes are looked up at first use.

    Not a subclass of ``importlib.abc.Loader``, since that module imports many others.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return None, so that the import system creates the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Set the functions that look up the attributes of a module."""
        attributes = _Attributes(module.__name__)
        module.__doc__ = f"{module.__name__}, provided by Runstream."
        module.__dict__["__getattr__"] = attributes.look_up
        module.__dict__["__dir__"] = lambda: sorted({*vars(module), *attributes.names()})
        if module.__name__ == ROOT:
            module.__dict__["__version__"] = VERSION


class _Attributes:
    """The attributes of a module: those listed for it, its submodules, and those of another module, in this order."""

    def __init__(self, module: str) -> None:
        self._module = module
        listed = MODULES[module]
        self._listed: Mapping[str, str] = {} if isinstance(listed, str) else listed
        self._fallback = listed if isinstance(listed, str) else listed.get("*")

    def look_up(self, name: str) -> Any:
        """Return an attribute."""
        if name in self._listed:
            home, _, attribute = self._listed[name].partition(":")
            found = import_module(home)
            return getattr(found, attribute) if attribute else found
        if name in reasons(self._module):
            return placeholder(self._module, name)
        if f"{self._module}.{name}" in MODULES:
            return import_module(f"{self._module}.{name}")
        if self._fallback is not None and not name.startswith("__"):
            return getattr(import_module(self._fallback), name)
        raise AttributeError(f"module {self._module!r}, provided by Runstream, has no attribute {name!r}")

    def names(self) -> set[str]:
        """Return the names of the attributes."""
        below = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == self._module}
        inherited = set() if self._fallback is None else set(dir(import_module(self._fallback)))
        own = (self._listed.keys() - {"*"}) | reasons(self._module).keys() | below
        return own | {name for name in inherited if not name.startswith("__")}
