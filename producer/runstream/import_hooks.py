"""Functions that are called with a module right after it was imported, without importing it."""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def add_import_hook(fullname: str, on_import: Callable[[ModuleType], Any]) -> None:
    """Call a function with a module as soon as it is imported, or now if it is already; as ``wandb.util`` does."""
    ImportHooks({fullname: on_import}).install()


class ImportHooks(MetaPathFinder):
    """A finder that calls functions after imports, by the name of the module. It finds no modules itself."""

    def __init__(self, hooks: Mapping[str, Callable[[ModuleType], Any]]) -> None:
        self._hooks = hooks

    def install(self) -> None:
        """Call the hooks of modules that are imported already, and those of others when they are imported."""
        for name, hook in self._hooks.items():
            if (module := sys.modules.get(name)) is not None:
                hook(module)
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Call no more hooks."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders find, with a loader that also calls the hook."""
        if fullname not in self._hooks:
            return None
        for finder in sys.meta_path:
            found = None if finder is self else finder.find_spec(fullname, path, target)
            if found is not None:
                if found.loader is not None:
                    found.loader = _Loader(found.loader, self._hooks[fullname])
                return found
        return None


class _Loader(Loader):
    """Loads a module with its own loader, then calls the hook."""

    def __init__(self, loader: Any, hook: Callable[[ModuleType], Any]) -> None:
        self._loader = loader
        self._hook = hook

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._hook(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
