"""The command line: ``run FOLDER ARGUMENTS OF PYTHON…`` and ``combine FOLDER``."""

from __future__ import annotations

import marshal
import os
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

import coverage.tracer
from coverage import CoverageData

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    ROOT / "producer" / "runstream",
    ROOT / "consumers" / "runstream_consumers",
    ROOT / "deploy" / "runstream_deploy",
    ROOT / "schemas" / "runstream_schemas",
]
START = Path(__file__).with_name("start.py")
#: Read at each start of Python, more than once where a folder is in the path under two names.
_HOOK = (
    "import os, sys, _frozen_importlib as i, _frozen_importlib_external as e; path = os.environ.get('MEASURED_START'); "
    "path and '_measured_start' not in sys.modules and i._load(e.spec_from_file_location('_measured_start', path))\n"
)
_LINE = (1 << 28) - 1


def run(folder: Path, arguments: list[str]) -> None:
    """Replace this process by Python with the tracer."""
    Path(sysconfig.get_path("purelib"), "measured_start.pth").write_text(_HOOK)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "MEASURED_START": str(START),
        "MEASURED_FOLDER": str(folder.absolute()),
        "MEASURED_SOURCES": ":".join(f"{source}/" for source in SOURCES),
        "MEASURED_TRACER": str(coverage.tracer.__file__),
    }
    os.execv(sys.executable, [sys.executable, *arguments])


def combine(folder: Path) -> None:
    """Write what all processes saved as one file of coverage.py, with the files that were never imported."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for file in folder.glob("*.pairs"):
        for path, pairs in marshal.loads(file.read_bytes()).items():
            found[path] |= pairs
    data = CoverageData(str(folder / "data"))
    data.add_arcs({path: [_pair(packed) for packed in pairs] for path, pairs in found.items()})
    modules = [str(path) for source in SOURCES for path in source.rglob("*.py") if "node_modules" not in path.parts]
    data.touch_files(modules)
    data.write()


def _pair(packed: int) -> tuple[int, int]:
    """Unpack two lines as the tracer packs them; a negative one is the entry or the exit of a block of code."""
    first, second = packed & _LINE, packed >> 28 & _LINE
    return -first if packed & 1 << 56 else first, -second if packed & 1 << 57 else second


def main(command: str, folder: str, *arguments: str) -> None:
    """Run a command."""
    if command == "run":
        run(Path(folder), list(arguments))
    else:
        combine(Path(folder))


main(*sys.argv[1:])
