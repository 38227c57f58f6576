"""Media without the optional packages that encode them."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
sys.modules |= dict.fromkeys(("PIL", "av", "soundfile"))  # as if they were not installed
import numpy as np, runstream
frames = np.zeros((2, 3, 8, 8), np.uint8)
for make in (
    lambda: runstream.Image(frames[0]),
    lambda: runstream.Video(frames, format="mp4"),
    lambda: runstream.Video(frames),
    lambda: runstream.Audio(np.zeros(8), sample_rate=8),
):
    try:
        make()
    except runstream.Error as error:
        print(error)
runstream.Html("<b>needs no package</b>"), runstream.Object3D(np.zeros((2, 3))), runstream.Histogram([1])
"""


def test_the_error_names_the_package_and_the_extra() -> None:
    """The constructor raises, not the shipper later; media that are not encoded need no package."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{what} needs the package {package}: pip install 'runstream[media]'"
        for what, package in (("Image", "PIL"), ("Video", "av"), ("Video", "PIL"), ("Audio", "soundfile"))
    ]
