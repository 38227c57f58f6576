"""The settings of a stack, read from the environment (``RUNSTREAM_*``)."""

from __future__ import annotations

import getpass
import re
from typing import Any

from pydantic import Field

from runstream_consumers import settings
from runstream_deploy.exceptions import StackError


def _user() -> str:
    """Return the name of the user, with characters that are not allowed in paths and URLs replaced."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = ""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "local"


class StackSettings(settings.ServerSettings):
    """The settings of the stack's processes; none is required, because the data folder completes them.

    Prefix, partitions and entity are read when the data folder is created, and fixed from then on.
    """

    #: External servers; empty for those of the stack.
    kafka: str = ""
    postgres: str = Field(default="", repr=False)
    entity: str = Field(default_factory=_user)
    tick_key: str = Field(default="", repr=False)

    def variables(self) -> dict[str, str]:
        """Return the environment of the stack's processes."""
        return {f"RUNSTREAM_{name.upper()}": str(value) for name, value in self.model_dump().items()}


def read_settings(**given: Any) -> StackSettings:
    """Return the settings in the environment, except those that are given; raise StackError if one is invalid."""
    try:
        return settings.read_settings(StackSettings, **given)
    except settings.SettingsError as error:
        raise StackError(str(error)) from None
