"""``python -m runstream`` is the command ``runstream``."""

from __future__ import annotations

import sys

from runstream.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
