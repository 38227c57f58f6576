"""Objects whose methods raise exceptions, and plain data made of them, as programs and libraries may log."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
from hypothesis import strategies as st

import runstream


class MissingValueError(Exception):
    """Raised by config libraries for a value that is not set, and itself without a text."""

    def __str__(self) -> str:
        raise ValueError("no text")


ERRORS: tuple[type[Exception], ...] = (
    ValueError, KeyError, AttributeError, TypeError, RecursionError, MemoryError, StopIteration, OSError,
    ZeroDivisionError, MissingValueError,
)  # fmt: skip


def method_that_raises(error: type[Exception]) -> Any:
    """Return a method that raises."""

    def method(*_: Any, **__: Any) -> Any:
        raise error("hostile")

    return method


def raising(error: type[Exception], names: Sequence[str], bases: tuple[type, ...] = (), **more: Any) -> Any:
    """Return an object of a class in which some methods, or ``name.property``, raise."""
    method = method_that_raises(error)
    members = {
        name.removesuffix(".property"): property(method) if name.endswith(".property") else method for name in names
    }
    return type("Hostile", bases, {**more, **members})


class MissingItem(Mapping[str, Any]):
    """A mapping of which one value can be read and another cannot, like OmegaConf's with ``???``."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __getitem__(self, key: str) -> Any:
        if key == "missing":
            raise self._error("missing")
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(["here", "missing"])

    def __len__(self) -> int:
        return 2


class MissingElement(Sequence[Any]):
    """A sequence of which one element cannot be read."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __getitem__(self, index: Any) -> Any:
        if index == 1:
            raise self._error("missing")
        if index > 2:
            raise IndexError
        return index

    def __len__(self) -> int:
        return 3


@dataclasses.dataclass
class WithField:
    """A dataclass."""

    field: Any


class Color(Enum):
    """An enum with a value that cannot be recorded."""

    RED = object()


def objects(error: type[Exception]) -> list[Any]:
    """Return objects of which something raises an error."""
    mapping = (dict,)
    return [
        raising(error, ["__str__", "__repr__"])(),
        raising(error, ["__class__.property"])(),
        raising(error, ["__len__", "__iter__", "__getitem__", "keys", "items"])(),
        raising(error, ["keys", "items"], mapping)({"a": 1}),
        raising(error, ["__iter__", "__len__"], (list,))([1]),
        raising(error, ["__iter__"], (set,))({1}),
        raising(error, ["item", "tolist", "size.property"])(),
        raising(error, ["numpy", "__array__", "__bool__", "__eq__", "__hash__"])(),
        raising(error, ["__array__"], tolist=lambda _: [1], item=lambda _: 1)(),
        raising(error, ["__int__", "__index__", "__le__", "__ge__", "__str__"], (int,))(3),
        raising(error, ["__float__", "__eq__", "__ne__"], (float,))(0.5),
        raising(error, ["__str__", "__len__", "encode", "strip", "__eq__"], (str,), __hash__=str.__hash__)("text"),
        raising(error, ["__next__"], __iter__=lambda self: self)(),
        raising(error, ["__getattr__", "__getattribute__"])(),
        raising(error, ["__call__"], __qualname__="q")(),
        raising(error, ["__fspath__", "__str__", "__repr__"])(),
        raising(error, ["model_dump", "model_fields_set.property"])(),
        raising(error, ["flag_values_dict"])(),
        raising(error, ["__dict__.property"])(),
        WithField(raising(error, ["__str__", "__repr__"])()),
        MissingItem(error),
        MissingElement(error),
    ]


def endless() -> list[Any]:
    """Return containers that contain themselves, once and twice."""
    one: list[Any] = []
    one.append(one)
    two: dict[str, Any] = {}
    two |= {"a": two, "b": [two, two]}
    twice: list[Any] = [1]
    twice += [twice, twice]
    return [one, two, twice, WithField(twice)]


def deep(depth: int) -> Any:
    """Return a list and dicts in each other to a depth."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 3 else {"d": value}
    return value


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A hostile object to be built in a test: Hypothesis itself calls methods of what it generates."""

    #: The number of its kind, and what its methods raise.
    kind: int
    error: int

    def build(self) -> Any:
        """Return the object."""
        made = [*objects(ERRORS[self.error]), *endless(), *unusual()]
        return made[self.kind % len(made)]


def unusual() -> list[Any]:
    """Return values that cannot be recorded as they are."""
    media = [runstream.Html("x"), [runstream.Table()], {"x": runstream.Html("")}]
    arrays = [np.full(40, np.nan), np.full(40, None), np.array(["a"] * 40), np.arange(3)]
    deeply = [deep(depth) for depth in (62, 63, 64, 65, 66, 70)]
    return [*media, *arrays, *deeply, Color.RED, object(), range(3), type, len, 10**400, b"\xff", "x" * 300_000]


def built(value: Any) -> Any:
    """Return generated data with the hostile objects in it."""
    if isinstance(value, Recipe):
        return value.build()
    if isinstance(value, dict):
        return {key: built(item) for key, item in value.items()}
    return [built(item) for item in value] if isinstance(value, list) else value


#: Texts with lone surrogates, NUL, symbols, and of great length.
TEXTS = st.one_of(
    st.sampled_from(["", "a", "\udcff", "a\ud800b", "\0", "a.b", "_step", "--"]),
    st.sampled_from([512, 513, 600]).map(lambda length: "k" * length),
    st.text(st.characters(codec=None), max_size=5),
)
KEYS = st.one_of(TEXTS, TEXTS, st.sampled_from([1, None, 2.5, (1, "a"), frozenset([1]), b"\xff", Color.RED]))
VALUES = st.recursive(
    st.builds(Recipe, st.integers(0, 99), st.integers(0, len(ERRORS) - 1)) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
