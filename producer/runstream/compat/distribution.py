"""The distribution ``wandb`` for ``importlib.metadata``. It has no files on disk."""

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
Summary: Runstream, in place of wandb
""",
    "top_level.txt": f"{ROOT}\n",
}


class WandbDistribution(Distribution):
    """The distribution that Runstream provides."""

    def read_text(self, filename: str) -> str | None:
        """Return the text of a metadata file."""
        return _FILES.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        """Raise, since there are no files."""
        raise FileNotFoundError(f"No file {path} of {ROOT}: it is provided by Runstream")
