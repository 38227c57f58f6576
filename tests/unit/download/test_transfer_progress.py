"""The line about a download or an upload that takes long."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

from runstream.download.transfer_progress import TransferProgress

if TYPE_CHECKING:
    import pytest


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        """Return that this is a terminal."""
        return True


def test_bytes_rate_and_remaining_time_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, after a while, and nowhere else; the line is removed at the end."""
    monkeypatch.setenv("TERM", "xterm")
    shown: list[str] = []
    for screen, quiet_s in ((_Screen(), 0.0), (_Screen(), 3600.0), (io.StringIO(), 0.0)):
        monkeypatch.setattr(sys, "stderr", screen)
        with TransferProgress("model.pt", 4_000_000, doing="Uploading", quiet_s=quiet_s) as progress:
            progress.add(1_000_000)
        shown.append(screen.getvalue())

    assert re.search(r"Uploading model\.pt: 1\.0 MB of 4\.0 MB, [\d.]+ \w+/s, .+ left\r\x1b\[K$", shown[0])
    assert shown[1:] == ["", ""]
