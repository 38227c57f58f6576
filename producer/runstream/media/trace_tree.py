"""Traces of calls of models, tools and agents, as values to log."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from runstream.media.base import WBValue

if TYPE_CHECKING:
    from runstream.media.base import MediaPlace


class StatusCode(StrEnum):
    """How a span ended."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


class SpanKind(StrEnum):
    """What a span is a call of."""

    LLM = "LLM"
    CHAIN = "CHAIN"
    AGENT = "AGENT"
    TOOL = "TOOL"


@dataclass
class Result:
    """Named inputs and outputs of one call."""

    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None


@dataclass
class Span:
    """A call, and the calls that it made."""

    span_id: str | None = None
    name: str | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    status_code: StatusCode | str | None = None
    status_message: str | None = None
    attributes: dict[str, Any] | None = None
    results: list[Result] | None = None
    child_spans: list[Span] | None = None
    span_kind: SpanKind | None = None

    def add_attribute(self, key: str, value: Any) -> None:
        """Set an attribute."""
        self.attributes = {**(self.attributes or {}), key: value}

    def add_named_result(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Add a result."""
        self.results = [*(self.results or ()), Result(inputs, outputs)]

    def add_child_span(self, span: Span) -> None:
        """Add a call that this one made."""
        self.child_spans = [*(self.child_spans or ()), span]


class WBTraceTree(WBValue):
    """A tree of calls, recorded as JSON text: ``root_span_dumps``, and ``model_dict_dumps`` with its ``model_hash``.

    Args:
        root_span: The outermost call.
        model_dict: A description of the model.
    """

    _log_type: ClassVar[str] = "wb_trace_tree"

    def __init__(self, root_span: Span, model_dict: dict[str, Any] | None = None) -> None:
        self._root_span = root_span
        self._model_dict = model_dict

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - it has no file
        """Return the dict that is recorded for this value."""
        found = {"_type": self._log_type}
        if self._model_dict is not None:
            text = _json_text(self._model_dict)
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16]
            found |= {"model_hash": digest, "model_dict_dumps": text}
        return {**found, "root_span_dumps": _json_text(self._root_span)}


class Trace:
    """A call with its inputs, outputs and children, which ``log()`` adds to the active run.

    Args:
        name: Name of the call.
        kind: ``LLM``, ``CHAIN``, ``AGENT`` or ``TOOL``.
        status_code: ``SUCCESS`` or ``ERROR``.
        status_message: What it reported.
        metadata: Anything else that is known of it.
        start_time_ms: When it started, in milliseconds since 1970.
        end_time_ms: When it ended.
        inputs: Its inputs by name.
        outputs: Its outputs by name.
        model_dict: A description of the model.

    Raises:
        AssertionError: An argument has another value or type.
    """

    def __init__(  # noqa: PLR0917 - the signature of W&B
        self,
        name: str,
        kind: str | None = None,
        status_code: str | None = None,
        status_message: str | None = None,
        metadata: dict[str, Any] | None = None,
        start_time_ms: int | None = None,
        end_time_ms: int | None = None,
        inputs: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
        model_dict: dict[str, Any] | None = None,
    ) -> None:
        given = {"inputs": inputs, "outputs": outputs, "metadata": metadata, "model_dict": model_dict}
        if odd := [key for key, value in given.items() if not isinstance(value, dict | None)]:
            raise AssertionError(f"Invalid {odd[0]}={given[odd[0]]!r:.60}: expected a dict")
        self._model_dict = model_dict
        self._span = Span(
            name=name,
            start_time_ms=start_time_ms,
            end_time_ms=end_time_ms,
            status_code=None if status_code is None else _member(StatusCode, "status_code", status_code),
            status_message=status_message,
            attributes=metadata,
            results=[Result(inputs, outputs)] if inputs or outputs else None,
            span_kind=None if kind is None else _member(SpanKind, "kind", kind),
        )

    def __getattr__(self, name: str) -> Any:
        if name in _OF_SPAN:
            return getattr(self._span, name)
        raise AttributeError(f"'Trace' object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; those of the call are set there."""
        if name in _OF_SPAN:
            setattr(self._span, name, value)
        else:
            super().__setattr__(name, value)

    def add_child(self, child: Trace) -> Self:
        """Add a call that this one made; return this trace."""
        self._span.add_child_span(child._span)
        if self._model_dict is not None and child._model_dict is not None:
            self._model_dict[str(child._span.name)] = child._model_dict
        return self

    def add_inputs_and_outputs(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> Self:
        """Add the inputs and outputs of one more call; return this trace."""
        self._span.add_named_result(inputs, outputs)
        return self

    def add_metadata(self, metadata: dict[str, Any]) -> Self:
        """Add metadata; return this trace."""
        self._span.attributes = {**(self._span.attributes or {}), **metadata}
        return self

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What else is known of the call. Assigning adds to it."""
        return self._span.attributes

    @metadata.setter
    def metadata(self, value: dict[str, Any]) -> None:
        self.add_metadata(value)

    @property
    def inputs(self) -> dict[str, Any] | None:
        """The last inputs. Assigning adds a result with them and the last outputs."""
        return self._last.inputs

    @inputs.setter
    def inputs(self, value: dict[str, Any]) -> None:
        self._span.add_named_result(value, self._last.outputs or {})

    @property
    def outputs(self) -> dict[str, Any] | None:
        """The last outputs. Assigning adds a result with the last inputs and them."""
        return self._last.outputs

    @outputs.setter
    def outputs(self, value: dict[str, Any]) -> None:
        self._span.add_named_result(self._last.inputs or {}, value)

    @property
    def kind(self) -> str | None:
        """The kind of the call."""
        return None if self._span.span_kind is None else self._span.span_kind.value

    @kind.setter
    def kind(self, value: str) -> None:
        self._span.span_kind = _member(SpanKind, "kind", value)

    def log(self, name: str) -> None:
        """Log this trace as a row of the active run.

        Raises:
            AssertionError: There is no active run, or the name is empty.
        """
        package: Any = import_module("runstream")  # it imports this module
        if package.run is None:
            raise AssertionError("No active run: call init() before logging a trace")
        if not name.strip():
            raise AssertionError(f"Invalid name of a trace {name!r}: expected a text that is not empty")
        package.run.log({name: WBTraceTree(self._span, self._model_dict)})

    @property
    def _last(self) -> Result:
        return self._span.results[-1] if self._span.results else Result()


_Member = TypeVar("_Member", bound=StrEnum)
#: Attributes of a trace that are those of its span.
_OF_SPAN = frozenset({"name", "status_code", "status_message", "start_time_ms", "end_time_ms"})


def _member(kind: type[_Member], name: str, value: str) -> _Member:
    try:
        return kind(value.upper())
    except (AttributeError, ValueError):
        raise AssertionError(f"Invalid {name}={value!r}: expected one of {', '.join(kind)}") from None


def _json_text(value: Any) -> str:
    """Return JSON text; what has no such form is replaced by its type."""
    return json.dumps(_plain(value), default=lambda item: f"<<non-serializable: {type(item).__qualname__}>>")


def _plain(value: Any) -> Any:
    """Return spans as dicts, and arrays as lists."""
    if isinstance(value, Span | Result):
        return {name: _plain(item) for name, item in vars(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain(value.tolist()) if hasattr(value, "tolist") else value
