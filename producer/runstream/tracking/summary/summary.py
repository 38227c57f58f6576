"""The summary of a run, as the training process sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runstream.spool.plain_values import fitted_key
from runstream.tracking.values.arrays import LONGEST_LIST
from runstream.tracking.values.assigned import AssignedConversion
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder
from runstream.tracking.values.foreign import items_of, text_of
from runstream_schemas.events import Operation
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
    from enum import Enum

    from runstream.tracking.values.entries import SummaryEntry

_PERCENTILES = (10, 25, 75, 90)


class SummaryRecorder(Protocol):
    """What a summary reads from and records to."""

    def summary(self) -> dict[str, Any]:
        """Return the summary as this process knows it; it must not be changed."""

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Record assignments to the summary, and apply them to the last values."""


class _MissingError(KeyError, AttributeError):
    """The summary does not have this key, which was read as an attribute."""


class Summary:
    """The summary of a run: a mapping whose keys are attributes too. A nested dict is such a mapping itself.

    It shows what the server will show: last values, aggregates by metric definition (``define_metric``), ``_step``,
    ``_timestamp`` and ``_runtime`` of the latest row, and assigned values, which hold until the key is logged again.
    An open row is not included. Values that other processes log are only seen where the run is read back. After the
    end of the run it is empty.

    Args:
        recorder: Reads and records the values.
        path: Path of this mapping in the summary.
        encoder: Encodes assigned values.
    """

    _recorder: SummaryRecorder
    _path: tuple[str, ...]
    _encoder: ValueEncoder

    def __init__(
        self, recorder: SummaryRecorder, path: tuple[str, ...] = (), encoder: ValueEncoder = DEFAULT_ENCODER
    ) -> None:
        object.__setattr__(self, "_recorder", recorder)
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_encoder", encoder)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value; if there is none, set it to the default first.

        Raises:
            DataError: As :meth:`update`.
            UsageError: As :meth:`update`.
        """
        if key not in self:
            self[key] = default
        return self[key]

    def keys(self) -> KeysView[str]:
        """Return the keys."""
        return self._here().keys()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values, nested ones as plain dicts."""
        return self.as_dict().items()

    def values(self) -> ValuesView[Any]:
        """Return the values, nested ones as plain dicts."""
        return self.as_dict().values()

    def as_dict(self) -> dict[str, Any]:
        """Return a copy as a plain dict."""
        return {key: copied(value) for key, value in self._here().items()}

    _as_dict = as_dict  # the name in W&B

    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Assign several keys; a dict replaces the value of its key.

        NaN is recorded as None, an array of more than 32 numbers as a dict of its statistics.

        Raises:
            DataError: A value is of a type that cannot be recorded. Nothing was recorded.
            UsageError: The run is finished.
        """
        plain_values = plain_summary({} if values is None else values, self._encoder) | plain_summary(
            more, self._encoder
        )
        entries: list[SummaryEntry] = [
            [Operation.SET.value, [*self._path, key], value] for key, value in plain_values.items()
        ]

        def apply(root: dict[str, Any]) -> None:
            _inner(root, self._path, make=True).update(copied(plain_values))

        if entries:
            self._recorder.record_summary(entries, apply)

    def __getitem__(self, key: str) -> Any:
        value = self._here()[key]
        return Summary(self._recorder, (*self._path, key), self._encoder) if isinstance(value, dict) else copied(value)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        def apply(root: dict[str, Any]) -> None:
            _inner(root, self._path, make=True).pop(key, None)

        path = [*self._path, fitted_key(text_of(key), DEFAULT_LIMITS.key_length)]
        self._recorder.record_summary([[Operation.REMOVE.value, path, None]], apply)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):  # Python reads these names, even of a copy that is not complete
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            raise _MissingError(f"The summary has no key {key!r}") from None

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

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copy and pickle as a plain dict."""
        return dict, (self.as_dict(),)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Summary({self._here()!r})"

    def _here(self) -> dict[str, Any]:
        return _inner(self._recorder.summary(), self._path)


def _inner(root: dict[str, Any], path: tuple[str, ...], *, make: bool = False) -> dict[str, Any]:
    for name in path:
        if not isinstance(inner := root.get(name), dict):
            inner = {}
            if make:
                root[name] = inner
        root = inner
    return root


def copied(value: Any) -> Any:
    """Return a deep copy of a plain value."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


class _SummaryConversion(AssignedConversion):
    """Converts assigned values: a large array to its statistics."""

    #: How many lists the current value is in.
    _lists = 0

    def member(self, value: Enum) -> Any:
        """Return the name of a member of an enum, within a list its value, as in W&B."""
        return self.value(value.value if self._lists else value.name)

    def elements(self, values: Any) -> Any:
        """Return the elements of a collection as a list of plain data."""
        self._lists += 1
        try:
            return super().elements(values)
        finally:
            self._lists -= 1

    def other(self, value: Any) -> Any:
        """Return the statistics of a large array, and any other value as plain data."""
        if (array := _large_array(value)) is not None:
            return self.value(_statistics(array, value))
        return super().other(value)


def plain_summary(values: Any, encoder: ValueEncoder) -> dict[str, Any]:
    """Return values to assign as plain data; raises DataError if one is of a type that cannot be recorded."""
    return _SummaryConversion(encoder, "summary").entries(items_of(values), values)


def _large_array(value: Any) -> Any:
    """Return a large array of numbers, of any library, as a numpy array; None for any other value."""
    if not (hasattr(value, "tolist") and hasattr(value, "__array__")):
        return None
    import numpy as np  # noqa: PLC0415 - see _needs_it()

    try:
        array = np.asarray(value)
    except Exception:  # noqa: BLE001 - such as a tensor on another device: it is recorded like any other value
        return None
    return array if array.size > LONGEST_LIST and array.dtype.kind in "biuf" else None


def _statistics(array: Any, value: Any) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415

    numbers = array.astype(np.float64)
    percentiles = np.percentile(numbers, _PERCENTILES).tolist()
    return {
        "_type": f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}",
        "min": numbers.min().item(),
        "max": numbers.max().item(),
        "mean": numbers.mean().item(),
        "var": numbers.var().item(),
        **{f"{percent}%": number for percent, number in zip(_PERCENTILES, percentiles, strict=True)},
        "size": array.size,
    }
