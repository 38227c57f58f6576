"""The summary of a run, as the process that logs sees it: last values, and what was set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.exceptions import DataError
from runstream.tracking.values import plain
from runstream_schemas.events import Operation
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, Mapping

    from runstream.tracking.recorder import Recorder, SummaryEntry


class Summary:
    """A mapping whose keys are attributes too; a nested dict is such a mapping itself.

    It shows the values that this process logged last. What is set by hand is recorded at once and counts until the key
    is logged again. Aggregates (``define_metric``) and what other writers logged are seen where the run is read back.

    Args:
        recorder: Keeps and records the values.
        path: Where in the summary this mapping lies.
    """

    _recorder: Recorder
    _path: tuple[str, ...]

    def __init__(self, recorder: Recorder, path: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "_recorder", recorder)
        object.__setattr__(self, "_path", path)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def keys(self) -> KeysView[str]:
        """Return the keys."""
        return self._here().keys()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values, nested ones as plain dicts."""
        return self._here().items()

    def as_dict(self) -> dict[str, Any]:
        """Return a copy as a plain dict."""
        return _copied(self._here())

    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Set several keys.

        Raises:
            DataError: A key is no string or too long, or a value of a strange type; nothing was recorded.
            UsageError: The run is finished.
        """
        plain_values = {_checked(key): plain(value) for key, value in {**(values or {}), **more}.items()}
        entries: list[SummaryEntry] = [
            [Operation.SET.value, [*self._path, key], value] for key, value in plain_values.items()
        ]

        def apply(root: dict[str, Any]) -> None:
            _inner(root, self._path, make=True).update(_copied(plain_values))

        if entries:
            self._recorder.record_summary(entries, apply)

    def __getitem__(self, key: str) -> Any:
        value = self._here()[key]
        return Summary(self._recorder, (*self._path, key)) if isinstance(value, dict) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        if key not in self._here():
            raise KeyError(key)

        def apply(root: dict[str, Any]) -> None:
            _inner(root, self._path, make=True).pop(key, None)

        self._recorder.record_summary([[Operation.REMOVE.value, [*self._path, key], None]], apply)

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"the summary has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delattr__(self, key: str) -> None:
        del self[key]

    def __contains__(self, key: object) -> bool:
        return key in self._here()

    def __iter__(self) -> Iterator[str]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())

    def __eq__(self, other: object) -> bool:
        return bool(self._here() == (other.as_dict() if isinstance(other, Summary) else other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Summary({self._here()!r})"

    def _here(self) -> dict[str, Any]:
        return _inner(self._recorder.last_values(), self._path)


def _inner(root: dict[str, Any], path: tuple[str, ...], *, make: bool = False) -> dict[str, Any]:
    for name in path:
        inner = root.get(name)
        if not isinstance(inner, dict):
            inner = {}
            if make:
                root[name] = inner
        root = inner
    return root


def _copied(value: dict[str, Any]) -> dict[str, Any]:
    return {key: _copied(inner) if isinstance(inner, dict) else inner for key, inner in value.items()}


def _checked(key: Any) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= DEFAULT_LIMITS.key_length:
        raise DataError(f"summary keys are strings of 1 to {DEFAULT_LIMITS.key_length} characters, not {key!r:.60}")
    return str(key)
