"""Metadata of a process: read without starting a process or opening a device."""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from pathlib import Path
from typing import Any

_GPU_MODEL = re.compile(r"^Model:\s*(.+?)\s*$", re.MULTILINE)


def metadata() -> dict[str, Any]:
    """Return host, program, versions, number of processors and, if there are any, GPUs."""
    system = os.uname()
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "os": f"{system.sysname} {system.release} {system.machine}",
        "python": platform.python_version(),
        "executable": sys.executable,
        "program": program(),
        "pid": os.getpid(),
        "cpu_count": os.cpu_count(),
    }
    if models := _gpu_models(Path("/proc/driver/nvidia/gpus")):
        found["gpu"] = models[0]
        found["gpu_count"] = len(models)
    return found


def program() -> str:
    """Return the path of the running script, or an empty string. Arguments are left out: they may contain secrets."""
    main = sys.modules.get("__main__")
    return str(getattr(main, "__file__", None) or "")


def _gpu_models(drivers: Path) -> list[str]:
    """Return the GPU models that the kernel driver lists; opening NVML takes seconds on some machines."""
    models = []
    try:
        for device in sorted(drivers.iterdir()):
            match = _GPU_MODEL.search((device / "information").read_text())
            models.append(match.group(1) if match else "unknown")
    except OSError:
        return models
    return models
