"""Refusal of interpreters without the GIL."""

from __future__ import annotations

import pytest

from runstream import UsageError
from runstream.spool.gil import require_gil


def test_an_interpreter_without_the_gil_is_refused() -> None:
    """The message names the variable to set; with the GIL there is no error."""
    require_gil(lambda: True)
    with pytest.raises(UsageError, match="PYTHON_GIL=1"):
        require_gil(lambda: False)
