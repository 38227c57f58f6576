"""The text about uploads that are under way."""

from __future__ import annotations

from runstream.terminal.upload_progress import UploadProgress


def test_progress_has_rate_and_remaining_time() -> None:
    """Once a rate is known, it is shown with the time that the rest takes; another shipper begins a new rate."""
    progress = UploadProgress()
    texts = [
        progress.text(3, 100_000_000, 0, now=10.0),
        progress.text(2, 80_000_000, 20_000_000, now=12.0),
        progress.text(1, 80_000_000, 1_000, now=13.0),
        progress.text(0, 0, 80_000_000, now=14.0),
    ]

    assert texts == ["3 files (100.0 MB)", "2 files (80.0 MB, 10.0 MB/s, 8 seconds left)", "1 file (80.0 MB)", ""]
