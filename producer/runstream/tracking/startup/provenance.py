"""Where a run comes from: arguments, packages, Git, notebook, container and job.

Everything is read from this process, its environment and small files, except for Git.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.tracking.startup.git_state import LONGEST_PATCH, git_state, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runstream.settings import Settings

#: Number and length of arguments, number of packages.
_ARGUMENTS, _LONGEST_ARGUMENT, _PACKAGES = 500, 2000, 5000
_HIDDEN = "[hidden]"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|credential|(api|access|private|auth)[-_]?key", re.IGNORECASE
)
_OPTION = re.compile(r"(?P<option>-{0,2}[\w.-]+)(?:=(?P<value>.*))?", re.DOTALL)
_DISTRIBUTION = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info")
#: A container's id in the control groups of its processes, or in their mounts.
_CONTAINER = re.compile(r"(?:docker|containerd|crio|libpod|kubepods)\S*?[/-]([0-9a-f]{64})|/containers/([0-9a-f]{64})/")
_DRIVER = re.compile(r"Kernel Module\S*(?:\s+for\s+\S+)?\s+([\d.]+)")
#: What a scheduler sets in the environment of a job, by the name under which it is recorded.
_SLURM = ("job_id", "job_name", "job_partition", "job_nodelist", "array_job_id", "array_task_id", "cluster_name")
_POD = {"pod": "POD_NAME", "namespace": "POD_NAMESPACE", "node": "NODE_NAME", "job": "JOB_NAME"}
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def provenance(settings: Settings, environ: Mapping[str, str], program: str) -> dict[str, Any]:
    """Return what the settings allow to record, without what is unknown."""
    if settings.x_disable_meta:
        return {}
    found: dict[str, Any] = {
        "args": arguments(sys.argv[1:]) if settings.x_save_arguments else None,
        "cwd": _working_folder(),
        "username": _username(),
        "notebook": notebook(environ),
        "slurm": slurm(environ),
        "kubernetes": kubernetes(environ),
        "container": container(Path("/"), environ),
        "git": None if settings.disable_git else _git(settings, environ, program),
        "packages": packages(sys.path) if settings.x_save_requirements else None,
    }
    return {name: _encodable(value) for name, value in found.items() if value}


def arguments(given: Sequence[str]) -> list[str]:
    """Return the arguments of a program; values of options that are named like secrets are hidden."""
    found: list[str] = []
    hide_next = False
    for argument in given[:_ARGUMENTS]:
        match = _OPTION.fullmatch(argument)
        is_secret = match is not None and bool(_SECRET.search(match["option"]))
        if hide_next and not argument.startswith("-"):
            found.append(_HIDDEN)
        elif match is not None and is_secret and match["value"] is not None:
            found.append(f"{match['option']}={_HIDDEN}")
        else:
            found.append(_cut(argument, _LONGEST_ARGUMENT))
        hide_next = is_secret and match is not None and match["value"] is None and argument.startswith("-")
    if len(given) > _ARGUMENTS:
        found.append(f"[{len(given) - _ARGUMENTS} more]")
    return found


def packages(path: Iterable[str]) -> list[str]:
    """Return the installed packages as ``name==version``, from the names of their folders: reading them is slow."""
    found: dict[str, str] = {}
    for folder in path:
        with contextlib.suppress(OSError, ValueError):
            for name in sorted(os.listdir(folder or ".")):  # noqa: PTH208 - a tenth of the time of paths
                if (match := _DISTRIBUTION.fullmatch(name)) is not None:
                    found.setdefault(match["name"].replace("_", "-").lower(), match["version"])
    listed = [f"{name}=={version}" for name, version in sorted(found.items())]
    return listed if len(listed) <= _PACKAGES else [*listed[:_PACKAGES], f"[{len(listed) - _PACKAGES} more]"]


def notebook(environ: Mapping[str, str]) -> str | None:
    """Return the file of the notebook that this process runs, if it runs one and an editor or server names it."""
    if "ipykernel" not in sys.modules:
        return None
    names = ("RUNSTREAM_NOTEBOOK_NAME", "WANDB_NOTEBOOK_NAME", "JPY_SESSION_NAME")
    main = sys.modules.get("__main__")
    return next(filter(None, map(environ.get, names)), None) or getattr(main, "__vsc_ipynb_file__", None)


def slurm(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the job of Slurm that this process belongs to."""
    return {name: environ[key] for name in _SLURM if environ.get(key := f"SLURM_{name.upper()}")}


def kubernetes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the pod of Kubernetes that this process runs in."""
    if "KUBERNETES_SERVICE_HOST" not in environ:
        return {}
    found = {name: environ[key] for name, key in _POD.items() if environ.get(key)}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found.setdefault("namespace", _NAMESPACE.read_text().strip())
    return {"pod": environ.get("HOSTNAME", ""), **found}


def container(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the container that this process runs in: its kind, its id and its image, as far as they are known."""
    texts = [_text(root / "proc/self" / name) for name in ("cgroup", "mountinfo")]
    match = next((found for found in map(_CONTAINER.search, texts) if found is not None), None)
    markers = {"docker": root / ".dockerenv", "podman": root / "run/.containerenv"}
    kinds = [kind for kind, marker in markers.items() if marker.exists()]
    if environ.get("SINGULARITY_NAME") or environ.get("APPTAINER_NAME"):
        kinds.append("apptainer")
    if not (match or kinds):
        return {}
    found = {"kind": (kinds or ["unknown"])[0], "id": (match[1] or match[2])[:12] if match else ""}
    image = next(filter(None, map(environ.get, ("RUNSTREAM_DOCKER", "WANDB_DOCKER", "APPTAINER_CONTAINER"))), "")
    return {name: value for name, value in {**found, "image": image}.items() if value}


def gpu_driver(version: Path) -> str | None:
    """Return the version of the NVIDIA driver, as the kernel module states it."""
    match = _DRIVER.search(_text(version))
    return None if match is None else match[1]


def _git(settings: Settings, environ: Mapping[str, str], program: str) -> dict[str, Any]:
    folder = Path(program).parent if program else Path()
    found = git_state(folder if folder.is_dir() else Path(), settings.git_remote, environ, longest=LONGEST_PATCH)
    given = {"commit": settings.git_commit, "remote": without_credentials(settings.git_remote_url or "")}
    return found | {name: value for name, value in given.items() if value}


def _username() -> str | None:
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return None


def _working_folder() -> str | None:
    with contextlib.suppress(OSError):
        return str(Path.cwd())
    return None


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes()[:65_536].decode("utf-8", "replace")
    return ""


def _encodable(value: Any) -> Any:
    """Return texts in which the bytes of names that are not UTF-8 are spelled out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return {key: _encodable(item) for key, item in value.items()} if isinstance(value, dict) else value


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… [{len(text) - length} more characters]"
