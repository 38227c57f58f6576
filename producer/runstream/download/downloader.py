"""Downloads files: in parallel, resumed where an earlier attempt ended, and verified before they get their names."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from runstream.download.partial_file import PartialFile
from runstream.exceptions import CommError
from runstream.server.client import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from runstream.server.client import ServerClient

#: Attempts in a row that bring nothing.
_ATTEMPTS = 5
#: Answers of a server that is starting or has too much to do.
_BUSY = frozenset({429, 500, 502, 503, 504})


class CorruptFileError(CommError):
    """The bytes that the server sent are not those that it has announced."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors of the operating system that have no path, such as that of a full disk, the path of a file."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to download: from a path of the API, or a URL, to ``target``, which it replaces.

    ``direct`` is a URL that is tried first, such as a presigned one: if it fails in any way, ``source`` is used.
    """

    source: str
    direct: str = ""
    target: Path
    size: int
    #: In hexadecimal; without it only the size is verified.
    sha256: str = ""
    #: What errors call it; by default the target.
    name: str = ""


class Downloader:
    """Downloads files from one server.

    ``progress`` is called with the number of bytes of each part that arrived. Before a file is requested again, there
    is a pause that doubles.
    """

    def __init__(
        self,
        client: ServerClient,
        *,
        parallel: int = 8,
        progress: Callable[[int], None] | None = None,
        pause_s: float = 0.1,
    ) -> None:
        self._client = client
        self._parallel = parallel
        self._progress = progress or (lambda _: None)
        self._pause_s = pause_s

    def download(self, files: Iterable[Download]) -> None:
        """Download files; each appears at its target once it is complete and verified.

        Raises:
            CorruptFileError: A file has other bytes than announced.
            CommError: The server does not answer, or not with the file.
            OSError: A file cannot be written.
        """
        wanted = list(files)
        if len(wanted) <= 1:
            for file in wanted:
                self._one(file)
            return
        with ThreadPoolExecutor(min(self._parallel, len(wanted)), "runstream-download") as pool:
            waiting = [pool.submit(self._one, file) for file in wanted]
            try:
                for future in waiting:
                    future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _one(self, file: Download) -> None:
        file.target.parent.mkdir(parents=True, exist_ok=True)
        with naming(file.target), PartialFile(file.target, file.sha256) as partial:
            failures, source = 0, file.direct or file.source
            while True:
                before = partial.size
                try:
                    if self._is_complete(partial, file):
                        break
                    self._go_on(partial, file, source)
                except CommError as error:
                    if source != file.source:
                        source = file.source
                        continue
                    if isinstance(error, CorruptFileError) or (
                        isinstance(error, ServerError) and error.status not in _BUSY
                    ):
                        raise
                    failures = 0 if partial.size > before else failures + 1
                    if failures == _ATTEMPTS:
                        raise
                    time.sleep(self._pause_s * 2**failures)
            partial.publish(file.target)

    def _is_complete(self, partial: PartialFile, file: Download) -> bool:
        """Return whether all bytes are there; raises CorruptFileError if they are not the announced ones."""
        if partial.size < file.size and not partial.ended:
            return False
        if partial.size == file.size and file.sha256 in {"", partial.sha256}:
            return True
        found, is_first = partial.size, partial.is_resumed or not (partial.size or partial.ended)
        partial.restart()
        if is_first:  # what an earlier download left is damaged, or nothing was read yet
            return False
        expected = f"{file.size:,} bytes" if found != file.size else f"SHA-256 {file.sha256}"
        named = file.name or repr(os.fspath(file.target))
        raise CorruptFileError(
            f"{named} is not written: the server sent {found:,} bytes that are not those of the "
            f"file (expected {expected}). Try again; if this repeats, the stored file is damaged"
        )

    def _go_on(self, partial: PartialFile, file: Download, source: str) -> None:
        """Read what is missing; raises CommError if the answer ends early."""
        headers = {"Accept-Encoding": "identity"}
        if partial.size:
            headers["Range"] = f"bytes={partial.size}-"
        with self._client.stream(source, headers=headers) as response:
            if partial.size and response.status_code != HTTPStatus.PARTIAL_CONTENT:
                partial.restart()
            for chunk in response.iter_raw():
                partial.write(chunk)
                self._progress(len(chunk))
                if partial.size > file.size:
                    break
        partial.ended = True
