"""The Git repository that a program runs from: commit, branch, remote, and the changes that are not committed.

Git runs for a short time only, since ``init()`` waits for it.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Seconds that all commands may take together.
TIMEOUT_S = 0.25
#: Characters of the recorded changes in the metadata of a run, and in its file ``diff.patch``.
LONGEST_DIFF, LONGEST_PATCH = 65_536, 4 * 1024 * 1024
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--")
_NO_REPOSITORY = "not a git repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a command printed; ``is_whole`` unless it was stopped."""

    text: str
    error: str = ""
    is_whole: bool = True


def git_state(
    folder: Path,
    remote: str,
    environ: Mapping[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
    longest: int = LONGEST_DIFF,
) -> dict[str, Any]:
    """Return what is known of the repository of a folder; empty if there is none, or no Git."""
    deadline = time.monotonic() + timeout_s
    quiet = {**environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    with contextlib.ExitStack() as stack:
        try:
            heads, address, changes = [
                _start(stack, folder, quiet, *arguments)
                for arguments in (
                    ("rev-parse", "--show-toplevel", "HEAD", "--abbrev-ref", "HEAD"),
                    ("remote", "get-url", remote),
                    _DIFF,
                )
            ]
        except OSError:
            return {}
        head = _read(heads, deadline, 4096)
        if head.error:
            return {} if _NO_REPOSITORY in head.error else {"problem": head.error}
        lines = head.text.splitlines()
        found: dict[str, Any] = dict(zip(("root", "commit", "branch"), lines, strict=False))
        if found.get("branch") == "HEAD":  # detached
            del found["branch"]
        if url := _read(address, deadline, 4096).text.strip():
            found["remote"] = without_credentials(url)
        return found | _changes(_read(changes, deadline, longest))


def without_credentials(url: str) -> str:
    """Return the URL of a remote without user, password, query and fragment; the user of SSH is kept."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    user, at, host = parts.netloc.rpartition("@")
    kept = user.partition(":")[0] + at if parts.scheme.endswith("ssh") else ""
    return urlunsplit((parts.scheme, kept + host, parts.path, "", ""))


def shortened_diff(diff: str) -> str:
    """Return changes that are short enough for the metadata of a run."""
    return (
        diff if len(diff) <= LONGEST_DIFF + 100 else f"{diff[:LONGEST_DIFF]}\n[cut after {LONGEST_DIFF} characters]\n"
    )


def _changes(answer: _Answer) -> dict[str, Any]:
    if not answer.text and not answer.is_whole:
        return {"diff": f"[not recorded: git diff took longer than {TIMEOUT_S} s]"}
    if not answer.text:
        return {"dirty": False}
    cut = "" if answer.is_whole else f"\n[cut after {len(answer.text)} characters]\n"
    return {"dirty": True, "diff": answer.text + cut}


def _start(
    stack: contextlib.ExitStack, folder: Path, environ: Mapping[str, str], *arguments: str
) -> subprocess.Popen[bytes]:
    """Start a command, which is killed with the stack."""
    process = subprocess.Popen(  # noqa: S603 - no part of the command comes from outside
        ["git", *_SAFE, *arguments],  # noqa: S607 - the user's own Git
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _read(process: subprocess.Popen[bytes], deadline: float, longest: int) -> _Answer:
    """Return what a command prints until a time, at most so many bytes; it is killed if that is not everything."""
    output, ended = _read_pipe(process.stdout, deadline, longest)
    error = b""
    if ended:
        error, ended = _read_pipe(process.stderr, deadline, 4096)
    if not ended:
        process.kill()
    code = process.wait()
    text = output[:longest].decode("utf-8", "replace")
    message = error.decode("utf-8", "replace").strip().partition("\n")[0] if ended and code else ""
    return _Answer(text=text, error=message, is_whole=ended)


def _read_pipe(pipe: IO[bytes] | None, deadline: float, longest: int) -> tuple[bytes, bool]:
    """Return what a pipe holds until a time, and whether it ended."""
    if pipe is None:
        return b"", True
    descriptor = pipe.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    found = b""
    while len(found) <= longest:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return found, False
        data = os.read(descriptor, 65_536)
        if not data:
            return found, True
        found += data
    return found, False
