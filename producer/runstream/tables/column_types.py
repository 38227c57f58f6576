"""The types of columns: what a cell may be, given the cells before it. The rules, names and JSON are those of W&B.

A type that takes up a value becomes a type that holds both, or None if there is none: a column of numbers accepts no
text. NaN is no value, as None; a column accepts it if it is optional.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from runstream.media.base import WBValue


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of cells."""

    name: ClassVar[str]

    def with_value(self, value: Any) -> ColumnType | None:
        """Return the type of cells of this type and of a value; None if a column cannot hold both."""
        return self.with_type(type_of(value))

    def with_type(self, other: ColumnType) -> ColumnType | None:
        """Return the type of cells of this type and of another; None if a column cannot hold both."""
        return self if self == other else None

    def parameters(self) -> dict[str, Any]:
        """Return what the JSON form has besides the name."""
        return {}

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        parameters = self.parameters()
        return {"wb_type": self.name, **({"params": parameters} if parameters else {})}

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Named(ColumnType):
    """A type that is known by its name, such as ``number`` or ``image-file``."""

    name: str = ""  # type: ignore[misc]
    #: Parameters that were read from a file; they are kept, and do not restrict the column.
    given: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that were read."""
        return dict(self.given)


@dataclass(frozen=True, slots=True)
class AnyType(ColumnType):
    """The type of everything."""

    name: ClassVar[str] = "any"

    def with_type(self, other: ColumnType) -> ColumnType | None:  # noqa: ARG002
        """Return this type."""
        return self


@dataclass(frozen=True, slots=True)
class Unknown(ColumnType):
    """The type before the first value, which it becomes; None is not a value."""

    name: ClassVar[str] = "unknown"

    def with_type(self, other: ColumnType) -> ColumnType | None:
        """Return the other type."""
        return None if other == NONE else other


@dataclass(frozen=True, slots=True)
class PythonObject(ColumnType):
    """Objects of a class."""

    name: ClassVar[str] = "pythonObject"
    class_name: str = ""

    def parameters(self) -> dict[str, Any]:
        """Return the name of the class."""
        return {"class_name": self.class_name}


@dataclass(frozen=True, slots=True)
class Constant(ColumnType):
    """One value."""

    name: ClassVar[str] = "const"
    value: Any = None

    def with_value(self, value: Any) -> ColumnType | None:
        """Return this type if the value is its own."""
        return self if bool(type(value) is type(self.value) and value == self.value) else None

    def parameters(self) -> dict[str, Any]:
        """Return the value."""
        is_set = isinstance(self.value, set)
        return {"val": list(self.value) if is_set else self.value, "is_set": is_set}


@dataclass(frozen=True, slots=True)
class Union(ColumnType):
    """Several types, such as numbers or None."""

    name: ClassVar[str] = "union"
    types: tuple[ColumnType, ...] = ()

    def with_value(self, value: Any) -> ColumnType | None:
        """Return this type with the first of its types that takes up the value."""
        return self._with(lambda kind: kind.with_value(value))

    def with_type(self, other: ColumnType) -> ColumnType | None:
        """Return this type with those of its types that take up the other type, or its parts."""
        found: ColumnType | None = self
        for part in other.types if isinstance(other, Union) else ():
            found = None if found is None else found.with_type(part)
        return found if isinstance(other, Union) else self._with(lambda kind: kind.with_type(other))

    def _with(self, take: Any) -> ColumnType | None:
        # What is not known yet comes last: it would take up anything.
        for kind in sorted(self.types, key=lambda kind: isinstance(kind, Unknown)):
            if (taken := take(kind)) is not None:
                return union(taken if each is kind else each for each in self.types)
        return None

    def parameters(self) -> dict[str, Any]:
        """Return the types."""
        return {"allowed_types": [kind.as_json() for kind in self.types]}

    def __str__(self) -> str:
        return " or ".join(map(str, self.types))


@dataclass(frozen=True, slots=True)
class ListOf(ColumnType):
    """Lists of elements of a type; ``length`` is None if it differs."""

    name: ClassVar[str] = "list"
    element: ColumnType = Unknown()
    length: int | None = None

    def with_value(self, value: Any) -> ColumnType | None:
        """Return the type with every element of the value taken up."""
        if not hasattr(value, "__iter__") or isinstance(value, str):
            return None
        elements, kind = list(value), self.element
        for element in elements:
            if (taken := kind.with_value(element)) is None:
                return None
            kind = taken
        return ListOf(kind, len(elements))

    def with_type(self, other: ColumnType) -> ColumnType | None:
        """Return the type of both lists."""
        if not isinstance(other, ListOf):
            return None
        kind = self.element if other.element == Unknown() else self.element.with_type(other.element)
        return None if kind is None else ListOf(kind, self.length if self.length == other.length else None)

    def parameters(self) -> dict[str, Any]:
        """Return the type of the elements, and their number."""
        length = {} if self.length is None else {"length": self.length}
        return {"element_type": self.element.as_json(), **length}

    def __str__(self) -> str:
        return f"list of {self.element}"


@dataclass(frozen=True, slots=True)
class Array(ColumnType):
    """Arrays of a shape."""

    name: ClassVar[str] = "ndarray"
    shape: tuple[int, ...] = ()

    def with_value(self, value: Any) -> ColumnType | None:
        """Return this type if an array, or nested lists, have its shape."""
        found = _shape(value)
        return self if found == self.shape else None

    def parameters(self) -> dict[str, Any]:
        """Return the shape."""
        return {"shape": list(self.shape)}

    def __str__(self) -> str:
        return f"array of shape {self.shape}"


@dataclass(frozen=True, slots=True)
class DictOf(ColumnType):
    """Dicts with a type for each key."""

    name: ClassVar[str] = "typedDict"
    types: Mapping[str, ColumnType] = field(default_factory=dict)

    def with_value(self, value: Any) -> ColumnType | None:
        """Return the type with the value of every key taken up; a key that is missing counts as None."""
        if not isinstance(value, dict) or value.keys() - self.types.keys():
            return None
        found = {key: kind.with_value(value.get(key)) for key, kind in self.types.items()}
        return DictOf(found) if None not in found.values() else None  # type: ignore[arg-type]

    def with_type(self, other: ColumnType) -> ColumnType | None:
        """Return the type with those of the other dict taken up."""
        if not isinstance(other, DictOf) or other.types.keys() - self.types.keys():
            return None
        found = {key: kind.with_type(other.types.get(key, NONE)) for key, kind in self.types.items()}
        return DictOf(found) if None not in found.values() else None  # type: ignore[arg-type]

    def parameters(self) -> dict[str, Any]:
        """Return the types by key."""
        return {"type_map": {str(key): kind.as_json() for key, kind in self.types.items()}}


NONE, NUMBER, STRING, BOOLEAN = (Named(name) for name in ("none", "number", "string", "boolean"))
TIMESTAMP = Named("timestamp")
_BY_CLASS: Mapping[type, ColumnType] = {
    type(None): NONE,
    int: NUMBER,
    float: NUMBER,
    str: STRING,
    bool: BOOLEAN,
    dt.datetime: TIMESTAMP,
    dt.date: TIMESTAMP,
}
#: Types that accept a value because of its class alone.
_SIMPLE = (NONE, NUMBER, STRING, BOOLEAN, TIMESTAMP, AnyType(), Unknown())
_BY_KIND = {"b": BOOLEAN, "i": NUMBER, "u": NUMBER, "f": NUMBER, "c": NUMBER, "U": STRING, "M": TIMESTAMP}


def type_of(value: Any) -> ColumnType:  # noqa: PLR0911 - one for each kind of value
    """Return the type of a cell."""
    kind = type(value)
    if kind is float and value != value:  # noqa: PLR0124 - NaN, which W&B takes for None
        return NONE
    if (found := type_of_class(kind)) is not None:
        return found
    if isinstance(value, WBValue):
        return Named(value._log_type)  # noqa: SLF001 - of the classes of media
    if isinstance(value, list | tuple | set | frozenset):
        has_none = any(item is None for item in value)
        element: ColumnType | None = Union((NONE, Unknown())) if has_none else Unknown()
        for item in value:
            element = AnyType() if element is None else element.with_value(item)
        return ListOf(element or AnyType(), len(value))
    if isinstance(value, dict):
        return DictOf({key: type_of(item) for key, item in value.items()})
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return Array(tuple(map(int, value.shape)))
    return NONE if _is_missing(value) else PythonObject(kind.__name__)


def _is_missing(value: Any) -> bool:
    """Return whether a value is the NaT or NA of pandas."""
    return type(value).__name__ in {"NaTType", "NAType"}


def type_of_class(kind: type) -> ColumnType | None:
    """Return the type of all values of a class but NaN; None if it depends on the value."""
    if (found := _BY_CLASS.get(kind)) is not None:
        return found
    if kind.__module__ == "numpy" and hasattr(kind, "dtype") and hasattr(kind, "item"):
        import numpy as np  # noqa: PLC0415 - imported already, if there is such a class

        return _BY_KIND.get(np.dtype(kind).kind) if issubclass(kind, np.generic) else None
    return TIMESTAMP if kind.__module__.startswith("pandas") and kind.__name__ == "Timestamp" else None


def accepts_class(column: ColumnType, kind: type) -> bool:
    """Return whether a column accepts every value of a class and stays as it is."""
    parts = column.types if isinstance(column, Union) else (column,)
    found = type_of_class(kind)
    if found is None or any(part not in _SIMPLE for part in parts):
        return False
    return AnyType() in parts or (found in parts and (kind is not float or NONE in parts))


def from_dtype(dtype: Any) -> ColumnType:
    """Return the type that an argument ``dtype`` names: a class, a list, a dict, or a value that all cells have."""
    if isinstance(dtype, ColumnType):
        return dtype
    if isinstance(dtype, type):
        if issubclass(dtype, WBValue):
            return Named(dtype._log_type)  # noqa: SLF001
        containers: dict[type, ColumnType] = {list: ListOf(), tuple: ListOf(), set: ListOf(), dict: DictOf()}
        return containers.get(dtype) or type_of_class(dtype) or PythonObject(dtype.__name__)
    if isinstance(dtype, list):
        kinds = [from_dtype(each) for each in dtype]
        return ListOf(kinds[0]) if len(kinds) == 1 else union(kinds) if kinds else ListOf()
    if isinstance(dtype, dict):
        return DictOf({key: from_dtype(each) for key, each in dtype.items()})
    return NONE if dtype is None else Constant(dtype)


def union(types: Any) -> ColumnType:
    """Return the union of types, in the order of their names."""
    flat: list[ColumnType] = []
    for kind in types:
        flat += [part for part in (kind.types if isinstance(kind, Union) else (kind,)) if part not in flat]
    if AnyType() in flat:
        return AnyType()
    return flat[0] if len(flat) == 1 else Union(tuple(sorted(flat, key=lambda kind: kind.name)))


def optional(kind: ColumnType) -> ColumnType:
    """Return the type of a column that may hold None as well."""
    return union([kind, NONE])


def from_json(form: Any) -> ColumnType:  # noqa: PLR0911 - one for each name
    """Return the type of a JSON form; one that is not known is kept by its name."""
    name, given = str(form.get("wb_type", "any")), form.get("params") or {}
    match name:
        case "any":
            return AnyType()
        case "unknown":
            return Unknown()
        case "union":
            return union([from_json(each) for each in given.get("allowed_types", ())])
        case "list":
            return ListOf(from_json(given.get("element_type", {})), given.get("length"))
        case "ndarray":
            return Array(tuple(given.get("shape", ())))
        case "typedDict" | "dictionary":
            return DictOf({key: from_json(each) for key, each in given.get("type_map", {}).items()})
        case "const":
            return Constant(given.get("val"))
        case "pythonObject":
            return PythonObject(str(given.get("class_name", "")))
    return Named(name, given)


def _shape(value: Any) -> tuple[int, ...] | None:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return tuple(map(int, value.shape))
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    inner = {_shape(item) for item in value}
    return (len(value), *(inner.pop() or ())) if len(inner) == 1 else (len(value),) if not inner else None
