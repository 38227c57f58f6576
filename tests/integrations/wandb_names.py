"""The names of W&B that programs use, found in its own wheel and in packages that integrate it.

``python -m tests.integrations.wandb_names WANDB_WHEEL [PACKAGE…]`` reads wheels and sdists, without importing them, and
prints a JSON object of the names by module. ``tests/unit/compat/wandb_names.json`` is its output.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Modules that are documented, or whose names are re-exported by those that are.
PUBLIC = re.compile(
    r"wandb|wandb\.apis(\.public)?|wandb\.data_types|wandb\.env|wandb\.errors(\.errors|\.term)?|wandb\.plot"
    r"|wandb\.sdk(\.data_types)?|wandb\.sklearn|wandb\.integration\.[a-z0-9_]+"
)
Names = dict[str, set[str]]


def sources(package: Path) -> Iterator[tuple[str, str]]:
    """Yield path and text of the Python files of a wheel or an sdist."""
    if package.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                if name.endswith(".py"):
                    yield name, archive.read(name).decode(errors="replace")
        return
    with tarfile.open(package) as tar:
        for member in tar:
            if member.name.endswith(".py") and (content := tar.extractfile(member)) is not None:
                yield member.name, content.read().decode(errors="replace")


def parsed(path: str, text: str) -> ast.Module:
    """Return the syntax tree of a file, which is empty if this version of Python cannot parse it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text, path)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module(body=[], type_ignores=[])


def offered(wheel: Path) -> Names:
    """Return the public names of the public modules in the wheel of W&B."""
    found: Names = {}
    for path, text in sources(wheel):
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if PUBLIC.fullmatch(module):
            found[module] = {name for name in _bound(parsed(path, text).body) if not name.startswith("_")}
    return found


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind, of imports only those from W&B."""
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                yield name
            case ast.ImportFrom(module=module, level=level) if level or (module or "").split(".")[0] == "wandb":
                yield from (alias.asname or alias.name for alias in node.names)
            case ast.If() | ast.Try():
                yield from _bound(node.body)


def bound(wheel: Path) -> Names:
    """Return all names of all modules in the wheel of W&B, submodules included."""
    found: Names = {}
    for path, text in sources(wheel):
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        found.setdefault(module, set()).update(_bound(parsed(path, text).body))
        parent, _, name = module.rpartition(".")
        found.setdefault(parent, set()).add(name)
    return found


def used(package: Path, known: Names) -> Names:
    """Return the names of W&B that a package imports or reads as attributes of its modules, if W&B has them."""
    found: Names = {}
    for path, text in sources(package):
        if "wandb" in text:
            for module, name in _read(parsed(path, text)):
                if name in known.get(module, ()):
                    found.setdefault(module, set()).add(name)
    return found


def _read(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of each use of W&B."""
    local = {"wandb": "wandb", "_wandb": "wandb"}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str() as module, level=0) if module.split(".")[0] == "wandb":
                yield from ((module, alias.name) for alias in node.names if alias.name != "*")
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.split(".")[0] == "wandb":
                        parent, _, name = alias.name.rpartition(".")
                        yield parent, name
                        local[alias.asname or "wandb"] = alias.name if alias.asname else "wandb"
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in local:
                yield local[name], attribute
            case ast.Attribute(value=ast.Attribute(value=ast.Attribute(value=ast.Name(id="wandb"))), attr=attribute):
                yield ast.unparse(node.value), attribute
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="wandb")), attr=attribute):
                yield ast.unparse(node.value), attribute


def main() -> None:
    """Print the names."""
    wandb, *packages = map(Path, sys.argv[1:])
    names, known = offered(wandb), bound(wandb)
    for package in packages:
        for module, found in used(package, known).items():
            names.setdefault(module, set()).update(found)
    table = {module: sorted(found) for module, found in sorted(names.items()) if module}
    sys.stdout.write(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
