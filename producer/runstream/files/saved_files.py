"""Files that a program saves to its run: which ones a pattern selects, their names in the run, and what is recorded."""

from __future__ import annotations

import glob
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from runstream.files.file_group import FileGroup
from runstream.files.file_record import AppendFile, FileRecord
from runstream.files.pack import PACKED_BYTES
from runstream_schemas.stored.names import problem_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream.files.staging import Staging

POLICIES = ("live", "now", "end")
_MAGIC = frozenset("*?[")
_KINDS: dict[Callable[[int], bool], str] = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a call of ``save()`` selects: an absolute pattern, and the folder that names are relative to."""

    pattern: PurePath
    base: PurePath

    @classmethod
    def of(cls, pattern: str, base: str | None, current: str) -> Selection:
        """Return the selection of the arguments of a call.

        Raises:
            ValueError: The base is no prefix of the pattern, or a relative pattern without one leaves ``current``.
        """
        absolute = _absolute(current, pattern)
        if base is not None:
            found = cls(absolute, _absolute(current, base))
        elif PurePath(pattern).is_absolute():
            # As in W&B, one level of folders is kept.
            found = cls(absolute, absolute.parent.parent)
        else:
            found = cls(absolute, PurePath(current))
        if not found.parts:
            what = "set it to a folder above the files" if base is None else "expected a prefix of the pattern"
            raise ValueError(f"Invalid base_path={base!r} for {pattern!r}: {what}")
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the pattern below the base; empty if it is not below."""
        depth = len(self.base.parts)
        return self.pattern.parts[depth:] if self.pattern.parts[:depth] == self.base.parts else ()

    def matches(self) -> Iterator[tuple[str, Path]]:
        """Yield name and path of each match; without directories where the pattern has ``**``."""
        found = list(_matches(str(self.pattern), len(self.base.parts), recursive="**" in self.parts))
        if not found and _exists(str(self.pattern)):  # a name with brackets
            found = [("/".join(self.parts), Path(self.pattern))]
        yield from found

    def matches_in(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """Yield name and path of each file in another folder that the part of the pattern below the base selects."""
        pattern = str(PurePath(glob.escape(str(folder)), *self.parts))
        for name, path in _matches(pattern, len(folder.parts), recursive="**" in self.parts):
            if path.is_file():
                yield name, path


@dataclass(frozen=True, slots=True)
class _Saved:
    """What is recorded under a name: its policy, its source, and of policy now the state of the source."""

    policy: str
    source: Path
    state: tuple[int, ...] = ()
    #: The process that recorded it.
    pid: int = 0


class SavedFiles:
    """The saved files of a run.

    ``append`` appends the record of a file, or of several, to the spool.
    """

    def __init__(
        self,
        run_folder: Path,
        staging: Staging,
        append: AppendFile,
    ) -> None:
        self._append = append
        self._runs = run_folder.parent
        self._links = run_folder / "files"
        self._staging = staging
        self._saved: dict[str, _Saved] = {}

    def save(self, selection: Selection, policy: str, warn: Callable[[str], None]) -> list[str]:
        """Save the selected files; return the paths of the links to them in the run's folder of files.

        A file that cannot be saved is recorded as lost, with a warning. A directory only gets a link, as in W&B.
        """
        found = {name: path for name, path in selection.matches() if self._is_foreign(path)}
        # Programs save to ``run.dir``, and then name the file without it.
        found = dict(selection.matches_in(self._links)) | found
        if not found:
            self._report_nothing(selection, policy, warn)
        group = FileGroup(self._staging, self._append) if policy == "now" and len(found) > 1 else None
        saved = [os.fspath(self._save(name, path, policy, warn, group)) for name, path in found.items()]
        if group is not None:
            group.record()
        if os.path.isdir(named := os.fspath(selection.pattern)):  # noqa: PTH112 - a pattern may be no path
            warn(f"{named!r} is a directory, of which nothing is saved: save its files, as with 'folder/*'")
        return saved

    def add_unsaved(self, warn: Callable[[str], None]) -> None:
        """Save the files that the program wrote to the folder of the run's files, as at the end of the run."""
        for name, path in written_files(self._links):
            if name not in self._saved:
                self._save(name, path, "end", warn)

    def keep(self, warn: Callable[[str], None]) -> None:
        """Stage the content of what is read in place, so that the run folder is complete without the sources."""
        for name, saved in list(self._saved.items()):
            if saved.policy == "now" or saved.pid != os.getpid():
                continue
            try:
                staged = self._staging.copy(saved.source)
            except OSError as error:
                self._lose(name, saved.source, saved.policy, _reason(error), warn)
                continue
            self._append(FileRecord(path=name, policy=saved.policy, staged=staged.name, size=staged.size))

    def _save(
        self, name: str, path: Path, policy: str, warn: Callable[[str], None], group: FileGroup | None = None
    ) -> Path:
        link = self._links / name
        if problem := problem_of_name(name):
            self._lose(_storable(name), path, policy, f"its name in the run is invalid: {problem}", warn)
            return link
        try:
            status = path.stat()
            kind = next((text for test, text in _KINDS.items() if test(status.st_mode)), "")
            self._link(link, path, warn)
            if kind:
                self._lose(name, path, policy, f"it is {kind}", warn)
            elif not stat.S_ISDIR(status.st_mode):
                # Records hold text; where a path is none, the link is read.
                source = Path(os.path.realpath(path)) if path == link else path
                # What programs wrote to the folder has a record of its own: the shipper looks for those that have none.
                self._add(name, source if _is_text(source) else link, policy, status, None if path == link else group)
        except OSError as error:
            self._lose(name, path, policy, _reason(error), warn)
        return link

    def _add(self, name: str, path: Path, policy: str, status: os.stat_result, group: FileGroup | None) -> None:
        state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        saved = _Saved(policy, path, state if policy == "now" else (), os.getpid())
        if self._saved.get(name) == saved:
            return
        if policy == "now":
            if group is not None and status.st_size <= PACKED_BYTES and group.add(name, path):
                self._saved[name] = saved
                return
            staged = self._staging.copy(path)
            self._append(FileRecord(path=name, policy=policy, staged=staged.name, size=staged.size))
        else:
            path.open("rb").close()
            self._append(FileRecord(path=name, policy=policy, source=os.fspath(path), size=status.st_size))
        self._saved[name] = saved

    def _link(self, link: Path, path: Path, warn: Callable[[str], None]) -> None:
        """Make a link in the run's folder of files, unless the file is there itself."""
        if link == path or (link.is_symlink() and os.path.realpath(link) == os.path.realpath(path)):
            return
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.is_symlink():
                link.unlink()
            link.symlink_to(path)
        except FileExistsError:
            if not link.exists() or not link.samefile(path):
                warn(f"{os.fspath(link)!r} is kept: no link to {os.fspath(path)!r}, which is saved, replaces it")
        except OSError as error:
            warn(f"Cannot make a link to {os.fspath(path)!r} in the run folder: {_reason(error)}; the file is saved")

    def _is_foreign(self, path: Path) -> bool:
        """Return whether a file is none of a run folder, except in the folder that programs write to."""
        below = path.parts[len(self._runs.parts) :] if path.is_relative_to(self._runs) else ()
        return not (below and below[0].startswith("run-")) or below[1:2] == ("files",)

    def _report_nothing(self, selection: Selection, policy: str, warn: Callable[[str], None]) -> None:
        if _MAGIC.isdisjoint(str(selection.pattern)):
            path = Path(selection.pattern)
            self._lose(_storable("/".join(selection.parts)), path, policy, "there is no such file", warn)
        else:
            warn(f"No file matches {str(selection.pattern)!r}: nothing is saved")

    def _lose(self, name: str, path: Path, policy: str, reason: str, warn: Callable[[str], None]) -> None:
        warn(f"The file {os.fspath(path)!r} is not saved: {reason}")
        self._append(FileRecord(path=name, policy=policy, lost=reason))


def written_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file that programs wrote to the folder of a run's files; links are saved files."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=attrgetter("name"))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from ((f"{entry.name}/{name}", path) for name, path in written_files(Path(entry.path)))
        elif not entry.is_symlink():
            yield entry.name, Path(entry.path)


def _absolute(current: str, path: str) -> PurePath:
    # A path may begin with two slashes.
    return PurePath("/" + os.path.normpath(os.path.join(current, path)).lstrip("/"))  # noqa: PTH118 - or a pattern


def _matches(pattern: str, depth: int, *, recursive: bool) -> Iterator[tuple[str, Path]]:
    """Yield each match in order, with its path below the first ``depth`` parts."""
    patterns = [] if "\0" in pattern else _unfolded(pattern) if recursive else [pattern]
    found = {path for one in patterns for path in glob.iglob(one)}  # noqa: PTH207 - a base may be a pattern
    for path in map(Path, sorted(found)):
        if not (recursive and path.is_dir()):
            yield "/".join(path.parts[depth:]), path


def _unfolded(pattern: str) -> Iterator[str]:
    """Yield patterns without ``**``: for any folders there, those that exist. A link back to a folder is not followed.

    As for ``glob``, hidden folders are left out.
    """
    every = f"{pattern}/*" if pattern.endswith("/**") else pattern
    head, found, tail = every.partition("/**/")
    if not found:
        yield pattern
        return
    for top in glob.iglob(f"{head}/"):  # noqa: PTH207
        yield from _below(top.rstrip("/"), tail, ())


def _below(folder: str, tail: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    try:
        status = os.stat(folder or "/")  # noqa: PTH116
        names = sorted(os.listdir(folder or "/"))  # noqa: PTH208
    except OSError:
        return
    if (key := (status.st_dev, status.st_ino)) in above:
        return
    yield from _unfolded(f"{glob.escape(folder)}/{tail}")
    for name in names:
        if not name.startswith(".") and os.path.isdir(f"{folder}/{name}"):  # noqa: PTH112
            yield from _below(f"{folder}/{name}", tail, (*above, key))


def _is_text(path: Path) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in os.fspath(path))


def _exists(path: str) -> bool:
    with suppress(OSError, ValueError):
        os.lstat(path)
        return True
    return False


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _storable(name: str) -> str:
    """Return a name that events can hold."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in shown)[:200] or "?"
