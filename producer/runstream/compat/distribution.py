"""The distribution called ``wandb``, as ``importlib.metadata`` sees it; there is nothing of it on disk."""

from __future__ import annotations

from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Any

from runstream.compat.names import ROOT, VERSION

if TYPE_CHECKING:
    import os

_FILES = {
    "METADATA": f"""\
Metadata-Version: 2.1
Name: {ROOT}
Version: {VERSION}
Summary: Runstream, answering in the place of wandb
""",
    "top_level.txt": f"{ROOT}\n",
}


class AnsweredDistribution(Distribution):
    """An installed distribution that Runstream answers for."""

    def read_text(self, filename: str) -> str | None:
        """Return the text of a file of its metadata."""
        return _FILES.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        """Refuse: there are no files."""
        raise FileNotFoundError(f"{ROOT} is answered by Runstream and has no file {path}")
