"""Answers ``import wandb`` with Runstream, and ``importlib.metadata`` with a distribution of that name.

The finder stands first on ``sys.meta_path`` and writes nothing to disk; a W&B that is installed stays as it is. What is
imported here is little, because ``runstream run`` has every Python process of a script begin with it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, cast

from runstream.compat.names import MODULES, ROOT, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.abc import Loader
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType


def install() -> None:
    """Answer imports of ``wandb`` from now on; a second call does nothing.

    Raises:
        ImportError: A ``wandb`` that is not ours is imported already.
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    if ROOT in sys.modules:
        raise ImportError(
            "wandb is imported already, and what holds its names would go on using it: import runstream.compat.wandb "
            "before anything that imports wandb, or start the script by `runstream run SCRIPT`",
            name=ROOT,
        )
    sys.meta_path.insert(0, Finder())


class Finder:
    """Finds the modules that Runstream answers for, and their distribution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module, or None for one that is another's."""
        del path, target
        if fullname not in MODULES:
            return None
        return ModuleSpec(fullname, cast("Loader", _Loader()), origin="runstream", is_package=True)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        """Return the distribution, where it or all distributions are asked for."""
        name = None if context is None else context.name
        if name is not None and name.lower() != ROOT:
            return []
        # Not at the top: it costs more than all else that a process which never asks for it pays for.
        from runstream.compat.distribution import AnsweredDistribution  # noqa: PLC0415

        return [AnsweredDistribution()]


class _Loader:
    """Makes modules whose attributes are looked up when they are asked for.

    No subclass of ``importlib.abc.Loader``, whose module brings much more than it.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Give a module its attributes."""
        answers = _Answers(module.__name__)
        module.__doc__ = f"What Runstream answers for {module.__name__}."
        module.__dict__["__getattr__"] = answers.look_up
        module.__dict__["__dir__"] = lambda: sorted({*vars(module), *answers.names()})
        if module.__name__ == ROOT:
            module.__dict__["__version__"] = VERSION


class _Answers:
    """The attributes of one module: some of its own, its submodules, and all of another module's, in this order."""

    def __init__(self, module: str) -> None:
        self._module = module
        answers = MODULES[module]
        self._own: Mapping[str, str] = {} if isinstance(answers, str) else answers
        self._whole = answers if isinstance(answers, str) else answers.get("*")

    def look_up(self, name: str) -> Any:
        """Return an attribute.

        Raises:
            AttributeError: There is no answer to it.
        """
        if name in self._own:
            home, _, attribute = self._own[name].partition(":")
            found = import_module(home)
            return getattr(found, attribute) if attribute else found
        if f"{self._module}.{name}" in MODULES:
            return import_module(f"{self._module}.{name}")
        if self._whole is not None and not name.startswith("__"):
            return getattr(import_module(self._whole), name)
        raise AttributeError(f"module {self._module!r}, which Runstream answers for, has no attribute {name!r}")

    def names(self) -> set[str]:
        """Return the names of the attributes."""
        below = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == self._module}
        inherited = set() if self._whole is None else set(dir(import_module(self._whole)))
        return (self._own.keys() - {"*"}) | below | {name for name in inherited if not name.startswith("__")}
