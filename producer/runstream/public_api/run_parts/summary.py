"""The summary of a run of the public API: a dict whose changes are published."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from runstream.exceptions import DataError
from runstream_schemas import values


class RunSummary(dict[str, Any]):
    """The summary of a run. ``update()`` publishes; other changes wait for it, or for that of the run."""

    def __init__(self, stored: Mapping[str, Any], publish: Callable[[RunSummary], None]) -> None:
        super().__init__(copy.deepcopy(dict(stored)))
        self._published = copy.deepcopy(dict(stored))
        self._publish = publish

    def update(self, other: Mapping[str, Any] | None = None, overwrite: bool = True) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002  # W&B's signature
        """Set keys, and publish all changes of the summary; returns once they are stored.

        Args:
            other: Keys and values; a dict replaces the value of its key.
            overwrite: Also set the keys that the summary has.

        Raises:
            DataError: A value cannot be recorded.
            CommError: The server does not answer.
        """
        for key, value in (other or {}).items():
            if overwrite or key not in self:
                self[key] = value
        self._publish(self)

    def changes(self) -> dict[str, Any]:
        """Return what has to be published, as :func:`changes` does; not what the run has logged in the meantime."""
        return changes(self._published, self)

    def refresh(self, stored: Mapping[str, Any]) -> None:
        """Have what is stored now, once the changes are published."""
        self.clear()
        super().update(copy.deepcopy(dict(stored)))
        self._published = copy.deepcopy(dict(stored))


def changes(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be set and removed, as ``{"set", "remove"}``; raises DataError for values without JSON."""
    given = {str(key): plain(value) for key, value in wanted.items()}
    before = {key: _text(key, value) for key, value in stored.items()}
    after = {key: _text(key, value) for key, value in given.items()}
    return {
        "set": {key: given[key] for key, text in after.items() if before.get(key) != text},
        "remove": [key for key in before if key not in after],
    }


def plain(value: Any) -> Any:
    """Return a value with plain numbers and lists instead of those of NumPy, and with texts as keys of dicts."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _text(key: str, value: Any) -> str:
    try:
        return values.dump(value)
    except (TypeError, RecursionError) as error:
        raise DataError(f"Invalid value of {key!r}: {error}. Expected numbers, texts, lists and dicts") from error
