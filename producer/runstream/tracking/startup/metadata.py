"""What a run notes about where it runs, without starting a process or opening a device."""

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
    """Return host, program, versions, number of processors and, where there are any, the GPUs' models."""
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
    """Return the path of the script that runs, or an empty string. Its arguments may hold secrets and stay out."""
    main = sys.modules.get("__main__")
    return str(getattr(main, "__file__", None) or "")


def _gpu_models(drivers: Path) -> list[str]:
    """Return the models as the kernel driver lists them: NVML takes seconds to open on some machines."""
    models = []
    try:
        for device in sorted(drivers.iterdir()):
            match = _GPU_MODEL.search((device / "information").read_text())
            models.append(match.group(1) if match else "unknown")
    except OSError:
        return models
    return models
