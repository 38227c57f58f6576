"""Sounds as values to log."""

from __future__ import annotations

import os
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runstream.media.arrays import as_array, keep_array
from runstream.media.base import BatchableMedia, captions_of
from runstream.media.content import FileContent, MediaFile, ReferenceContent
from runstream.media.packages import require_installed

if TYPE_CHECKING:
    from collections.abc import Sequence

from runstream.media.base import MediaPlace

#: Limits of WAV files and of soundfile.
_MOST_RATE, _MOST_CHANNELS = 2**31, 1024


class Audio(BatchableMedia):
    """A sound. Samples in an array are encoded as a WAV file by the shipper.

    Args:
        data_or_path: An array of samples, of the shape (time) or (time, channels); the path of a file; or the URL of
            one, for artifacts.
        sample_rate: Samples per second; required for an array.
        caption: A text below the sound.

    Raises:
        ValueError: The sample rate is missing, or the shape is invalid.
        OSError: The file cannot be read.
        Error: soundfile is not installed, which encodes arrays.
    """

    _log_type: ClassVar[str] = "audio-file"

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None) -> None:
        self.sample_rate = sample_rate
        self.duration: float | None = None
        if isinstance(data_or_path, str) and "://" in data_or_path[:10]:
            content = ReferenceContent(data_or_path)
            file = MediaFile(folder="audio", extension=_extension(data_or_path), content=content)
        elif isinstance(data_or_path, str | os.PathLike):
            path = Path(data_or_path)
            file = MediaFile(folder="audio", extension=_extension(path), content=FileContent.existing(path))
        else:
            file = self._of_array(data_or_path, sample_rate)
        super().__init__(file, caption)

    @classmethod
    def record_list(cls, items: Sequence[Audio], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of sounds; raises OSError."""
        captions = captions_of(items)
        return {
            "_type": "audio",
            "count": len(items),
            "audio": [item.record(place) for item in items],
            "sampleRates": cls.sample_rates(items),
            "durations": cls.durations(items),
            **({"captions": [text or "" for text in captions]} if captions else {}),
        }

    @classmethod
    def durations(cls, audio_list: Sequence[Audio]) -> list[float | None]:
        """Return the length of each sound in seconds; None for a file."""
        return [audio.duration for audio in audio_list]

    @classmethod
    def sample_rates(cls, audio_list: Sequence[Audio]) -> list[int | None]:
        """Return the samples per second of each sound; None if they were not passed."""
        return [audio.sample_rate for audio in audio_list]

    def _of_array(self, data: Any, rate: int | None) -> MediaFile:
        if not isinstance(rate, Real) or not 0 < rate < _MOST_RATE or rate != int(rate):
            raise ValueError(f"Invalid sample_rate {rate!r}: an array needs the number of samples per second")
        require_installed("soundfile", "Audio")
        array = as_array(data)
        if array.ndim not in {1, 2} or (array.ndim == 2 and array.shape[1] > _MOST_CHANNELS):  # noqa: PLR2004
            raise ValueError(
                f"Invalid audio of shape {array.shape}: expected (time) or (time, channels), {_MOST_CHANNELS} at most"
            )
        content, stored = keep_array(array, "audio")
        self.duration = len(array) / float(rate)
        encode = {"kind": "audio", "format": "wav", **stored, "rate": int(rate)}
        return MediaFile(folder="audio", extension="wav", content=content, encode=encode)


def _extension(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(os.fspath(path).partition("?")[0])[1].lstrip(".") or "wav"  # noqa: PTH122
