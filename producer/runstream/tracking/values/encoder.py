"""Encoding of the values that users log as plain data."""

from __future__ import annotations

import io
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from numbers import Real
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import DataError
from runstream.media.base import BatchableMedia, WBValue
from runstream.media.charts.logged_figures import as_media, is_figure
from runstream.media.places import RunPlace
from runstream.spool.fitting import fit_row
from runstream.spool.plain_values import fitted_key, note
from runstream.tracking.values.arrays import LongArrayEncoder, from_array, from_iterator, histogram
from runstream.tracking.values.charts import RunCharts, with_tables
from runstream.tracking.values.foreign import Unreadable, attempted, described, elements_of, items_of, problem_of, shown
from runstream.tracking.values.texts import as_text, encodable, key_text, truncated
from runstream.tracking.values.value_files import ValueFiles
from runstream_schemas.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from runstream.files.run_files import RunFiles

#: Keys that every row has; values that are logged under them are dropped.
RESERVED = frozenset({"_step", "_timestamp", "_runtime", "_writer", "_late"})

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_SCALARS = frozenset({float, bool, type(None)})

_BUILT_IN = frozenset({str, int, float, bool, type(None), dict, list, tuple, set, frozenset, deque})

#: Values within one logged value; containers that contain each other may have any number of them.
_MOST_VALUES = 1_000_000
#: Length of ASCII keys and texts that are recorded as they are without further checks.
_SHORT = 256
#: Length of an error message up to which the key of the value is added in front.
_LONGEST_REASON = 200
#: Bytes of msgpack up to which a row fits into a message in any case; of a row with nested dicts, whose names are
#: repeated for each value.
_SMALL_ROW, _SMALL_NESTED_ROW = 128 * 1024, 4 * 1024
#: Names that are listed in a warning.
_SHOWN_NAMES = 3

Warn = Callable[[str, str], None]


class _TooLargeError(ValueError):
    """A value contains too many others; not handled within the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEncoder:
    """Converts values that users log to plain data, in the context of a run.

    The fast path of ``log()`` does not call it for rows of numbers whose keys are known.
    """

    #: Encode the values of a type, such as an image, in the context of the run; called with the value and this encoder.
    handlers: Mapping[type, Callable[[Any, ValueEncoder], Any]] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    #: Prints a warning, once for what it is about, the second argument.
    warn: Warn = lambda *_: None
    #: Where media keep their files; None without a run that is recorded.
    files: RunFiles | None = None
    #: Receives the charts of rows; None as for ``files``.
    charts: RunCharts | None = None
    #: Raise an error for a value that would be left out or replaced with a note.
    strict: bool = False

    def row(self, data: Any, step: int = 0) -> dict[str, Any]:
        """Return the plain data of the argument of ``log()`` at a step, without empty and reserved keys.

        Raises DataError if the data is not a mapping, or has a key or a value of a type that cannot be recorded.
        """
        if type(data) is not dict and attempted(lambda: isinstance(data, Mapping)) is not True:
            raise DataError(f"Invalid data: log() expects a dict of metrics, not {described(data)}")
        conversion = Conversion(self, long_array=histogram, step=step)
        row = conversion.entries(with_tables(items_of(data), self.charts, conversion.place), data)
        return {key: value for key, value in row.items() if key and key not in RESERVED}

    def value(self, value: Any, *, whole: bool = False) -> Any:
        """Return a value as None, bool, int of 64 bits, float, string, or a list or dict of these; raises DataError.

        Larger integers become floats. Strings over the limit are truncated and end with their length, unless
        ``whole``. Arrays of one element become numbers, longer ones lists; sets, deques and iterators become lists;
        bytes, complex numbers, dates and functions become text; members of an enum become their values. Dataclasses
        and the like are converted by msgspec. What cannot be read becomes a note.
        """
        return Conversion(self, whole=whole).guarded(value)

    def value_files(self, place: int | str) -> ValueFiles:
        """Return what keeps values as files; ``place`` is the step of the row, or ``config`` or ``summary``."""
        return ValueFiles(None if self.strict else self.files, place, self.warn)

    def fitted_row(self, row: dict[str, Any], length: int, step: int = 0) -> Mapping[str, Any]:
        """Return a row, of so many bytes as msgpack, with files for the values for which a message has no room.

        Where a value cannot be kept as a file, a note is in its place.
        """
        nested = length > _SMALL_NESTED_ROW and any(type(value) is dict for value in row.values())
        if length <= _SMALL_ROW and not nested:
            return row
        kept = self.value_files(step)
        if length > self.limits.string_length:
            row = kept.without_long_texts([], row, self.limits.string_length)
        fitted, missing = fit_row(row, self.limits, kept.keep)
        self.report_missing(missing)
        return fitted

    def report_missing(self, names: Sequence[str], where: str = "") -> None:
        """Warn of values for which a message has no room; raises DataError if strict."""
        if not names:
            return
        shown_names = ", ".join(map(shown, names[:_SHOWN_NAMES])) + (", …" if len(names) > _SHOWN_NAMES else "")
        text = f"{where}{shown_names} cannot be recorded whole: a message has no room ({len(names)} values)"
        if self.strict:
            raise DataError(text)
        self.warn(f"{text}; the rest is recorded", f"large {where}{shown_names}")


class Conversion:
    """The conversion of one value. What cannot be read in it becomes a note, with a warning; the rest is kept.

    Args:
        encoder: The context.
        where: What the value belongs to, for warnings: ``config``, ``summary``, or nothing for a row.
        long_array: Encodes long arrays.
        step: The step of the row, which is part of the names of media files.
        whole: Do not shorten long texts.
    """

    def __init__(
        self,
        encoder: ValueEncoder,
        where: str = "",
        *,
        long_array: LongArrayEncoder | None = None,
        step: int = 0,
        whole: bool = False,
    ) -> None:
        self._encoder = encoder
        self.place = RunPlace(encoder.files, where or step)
        self._path = [where] if where else []
        self._named = bool(where)
        self._long_array = long_array
        self._whole = whole
        #: Ids of the containers around the current value.
        self._around: list[int] = []
        #: Whether the outermost container is that of the entries.
        self._root = False
        self._left = _MOST_VALUES
        #: Notes within the current value of the record, which has this name.
        self._notes, self._noted = 0, ""

    def entries(self, items: list[tuple[Any, Any]], data: Any = None) -> dict[str, Any]:
        """Return keys and values, at the top of what is recorded; raises DataError as :meth:`mapping`."""
        self._around = [id(data)]
        self._root = True
        try:
            found = self.mapping(items)
        except BaseException:
            self.place.discard()
            raise
        self.place.keep()
        return found

    def named(self, key: str, value: Any) -> Any:
        """Return the plain data of the value of a key."""
        self._path.append(key)
        try:
            return self.guarded(value)
        except DataError as error:
            raise DataError(f"{key!r}: {error}" if len(str(error)) < _LONGEST_REASON else str(error)) from None
        finally:
            self._path.pop()

    def guarded(self, value: Any) -> Any:
        """Return the plain data of a value, or a note; raises DataError for a type that cannot be recorded.

        Only exceptions of foreign classes are handled: another one comes from a signal handler, and is raised.
        """
        try:
            return self.value(value)
        except DataError:
            raise
        except Exception as error:
            too_large = isinstance(error, _TooLargeError)
            if (type(value) in _BUILT_IN and not too_large) or (too_large and len(self._around) > self._root):
                raise
            self._left = _MOST_VALUES
            return self.replaced(problem_of(error), error)

    def value(self, value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
        """Return the plain data of a value; raises whatever its methods raise."""
        self._left -= 1
        if self._left < 0:
            raise _TooLargeError(f"more than {_MOST_VALUES} values")
        match value:
            case WBValue():
                return self.media(value)
            case Enum():
                return self.member(value)
            case None | bool() | float():
                return self.number(value)
            case int():
                return int(value) if _INT64_MIN <= value <= _INT64_MAX else to_float(value)
            case str():
                return self.text(str.__str__(value))
            case Unreadable():
                return self.replaced(problem_of(value.error), value.error)
            case Mapping():
                return self.within(value, lambda: self.mapping(items_of(value)))
            case list() | tuple() | set() | frozenset() | deque():
                return self.within(value, lambda: self.elements(value))
        return self.other(value)

    def number(self, value: float | None) -> Any:
        """Return the plain data of None, a boolean or a float."""
        return float(value) if isinstance(value, float) else value

    def member(self, value: Enum) -> Any:
        """Return the plain data of a member of an enum."""
        return self.value(value.value)

    def within(self, container: Any, convert: Callable[[], Any]) -> Any:
        """Return what a function makes of a container, or a note if that contains itself or is nested too deep."""
        if id(container) in self._around:
            return self.replaced("it contains itself")
        if len(self._around) >= self._encoder.limits.depth:
            return self.replaced(f"nested deeper than {self._encoder.limits.depth} levels")
        self._around.append(id(container))
        try:
            return convert()
        finally:
            self._around.pop()

    def mapping(self, items: list[tuple[Any, Any]]) -> dict[str, Any]:
        """Return keys and values as a dict of plain data; raises DataError for a key that cannot be recorded."""
        result = {}
        for given, value in items:
            kind = type(value)
            short = type(given) is str and given.isascii() and len(given) <= _SHORT
            key = given if short else self._fitted(given)
            if kind in _SCALARS or (kind is int and _INT64_MIN <= value <= _INT64_MAX):
                result[key] = self.number(value)
            elif kind is str and value.isascii() and len(value) <= _SHORT:
                result[key] = value
            else:
                result[key] = self.named(key, value)
        return result

    def other(self, value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
        """Return the plain data of a value that is neither a plain value nor a container."""
        if is_figure(value):
            return self.media(as_media(value))
        if (handler := self._encoder.handlers.get(type(value))) is not None:
            return self.converted(value, handler(value, self._encoder))
        if (text := as_text(value)) is not None:
            return self.text(text)
        if hasattr(value, "item") and hasattr(value, "tolist"):
            return self.converted(value, from_array(value, self._long_array))
        if callable(getattr(value, "numpy", None)):
            return self.converted(value, from_array(value.numpy(), self._long_array))
        if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            return self.converted(value, from_iterator(value))
        return self.converted(value, msgspec.to_builtins(value, str_keys=True, enc_hook=_from_unknown))

    def text(self, text: str) -> str:
        """Return a text: of config, summary and rows whole, since it is kept as a file; of others, its beginning."""
        longest = self._encoder.limits.string_length
        if len(text) <= longest:
            return encodable(text)
        if self._encoder.strict:
            raise DataError(f"Text of {len(text)} characters too long: expected at most {longest}")
        if self._root or self._whole:
            return encodable(text)
        name = ".".join(self._path)
        self._encoder.warn(f"{name!r} is shortened from {len(text)} to {longest} characters", f"long {name}")
        return truncated(text)

    def converted(self, value: Any, converted: Any) -> Any:
        """Return the plain data of what a value was converted to."""
        if type(converted) is type(value):
            if isinstance(converted, Real):  # a number with more bits than Python's
                return float(converted)
            raise DataError(f"Cannot record {described(value)}")
        return self.value(converted)

    def replaced(self, problem: str, error: Exception | None = None) -> str:
        """Return the note for a value that cannot be recorded, and warn once of its key; raises DataError if strict."""
        name = ".".join(self._path)
        if self._encoder.strict:
            raise DataError(f"Cannot record this value: {problem}") from error
        if (top := ".".join(self._path[: 1 + self._named])) != self._noted:
            self._notes, self._noted = 0, top
        self._notes += 1
        if self._notes <= _SHOWN_NAMES:
            text = f"{name!r} cannot be recorded ({problem}): a note is recorded in its place"
            self._encoder.warn(text, f"note {name}")
        elif self._notes == _SHOWN_NAMES + 1:
            text = f"More values in {top!r} cannot be recorded: notes are recorded in their places"
            self._encoder.warn(text, f"notes {top}")
        return truncated(note(problem))

    def media(self, value: WBValue) -> Any:
        """Return the dict that is recorded for a media value, whose files are staged."""
        found = value.record(self.place.under("/".join(self._path[self._named :])))
        return self.within(found, lambda: self.mapping(items_of(found)))

    def media_list(self, values: list[Any]) -> Any:
        """Return one dict for media of one class, else a list of dicts; raises DataError for others."""
        if odd := [value for value in values if not isinstance(value, WBValue)]:
            raise DataError(f"Invalid list: expected only media, not also {described(odd[0])}")
        kind = type(values[0])
        if not issubclass(kind, BatchableMedia) or any(type(value) is not kind for value in values):
            return [self.guarded(value) for value in values]
        most = kind.MAX_ITEMS or len(values)
        if most < len(values):
            name = ".".join(self._path)
            text = f"{name!r} has {len(values)} values of {kind.__name__}: the first {most} are recorded"
            self._encoder.warn(text, f"many {name}")
        place = self.place.under("/".join(self._path[self._named :]))
        return self.value(kind.record_list(values[:most], place))

    def elements(self, values: Any) -> Any:
        """Return the elements of a collection as a list of plain data."""
        elements = elements_of(values)
        kinds = set(map(type, elements))
        if any(issubclass(kind, WBValue) for kind in kinds):
            return self.media_list(elements)
        return [self.number(item) if type(item) in _SCALARS else self.guarded(item) for item in elements]

    def key(self, given: Any) -> str:
        """Return a key as text; raises DataError if it is of a type that cannot be a key here."""
        if isinstance(given, str):
            return str.__str__(given)
        text = None if len(self._around) == self._root else key_text(given)
        if text is None:
            raise DataError(f"Invalid key: expected a string, not {described(given)}")
        return text

    def _fitted(self, given: Any) -> str:
        found = given if type(given) is str else attempted(lambda: self.key(given))
        if isinstance(found, Unreadable):
            if isinstance(found.error, DataError):
                raise found.error
            found = self.replaced(problem_of(found.error), found.error)
        key, longest = encodable(found), self._encoder.limits.key_length
        fitted = fitted_key(key, longest)
        if fitted != key:
            if self._encoder.strict:
                raise DataError(f"Invalid key {fitted!r}: expected at most {longest} characters")
            self._encoder.warn(f"A key of {len(key)} characters is recorded as {fitted!r}", f"key {fitted}")
        return fitted


def to_float(value: int) -> float:
    """Return an integer of any size as a float: an infinity if it is out of range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _from_unknown(value: Any) -> Any:
    """Return the qualified name of a function or class that msgspec does not support, the text of other callables."""
    if callable(value):
        named = hasattr(value, "__qualname__") and hasattr(value, "__module__")
        return truncated(f"{value.__module__}.{value.__qualname__}" if named else str(value))
    raise DataError(f"Cannot record {described(value)}")


#: For values without a run, such as those of a config that is being built.
DEFAULT_ENCODER = ValueEncoder()
