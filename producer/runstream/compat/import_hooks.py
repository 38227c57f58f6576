"""Functions that are called once a module has been imported."""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def add_import_hook(fullname: str, on_import: Callable[[ModuleType], Any]) -> None:
    """Call a function with a module as soon as that is imported, at once if it is already."""
    if (module := sys.modules.get(fullname)) is not None:
        on_import(module)
        return
    sys.meta_path.insert(0, _Hook(fullname, on_import))


class _Hook(MetaPathFinder):
    """Finds one module once, as the other finders do, and calls a function after it is loaded."""

    def __init__(self, fullname: str, on_import: Callable[[ModuleType], Any]) -> None:
        self._fullname = fullname
        self._on_import = on_import

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != self._fullname:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(0, self)
            return None
        spec.loader = _Loader(spec.loader, self._on_import)
        return spec


class _Loader(Loader):
    """A loader that calls a function when it has done its work."""

    def __init__(self, loader: Loader, on_import: Callable[[ModuleType], Any]) -> None:
        self._loader = loader
        self._on_import = on_import

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._on_import(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
