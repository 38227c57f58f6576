"""Hooks of a watched model: between two samples they count and return."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def on_gradient(name: str, every: int, take: Callable[[str, Any], None]) -> Callable[[Any], None]:
    """Return a hook for a parameter's gradient that takes every so many."""
    passes = 0

    def hook(gradient: Any) -> None:
        nonlocal passes
        passes += 1
        if passes < every:
            return
        passes = 0
        take(name, gradient)

    # Tells torch not to warn that a parameter is saved without its hook.
    hook.__torch_unserializable__ = True  # type: ignore[attr-defined]
    return hook


class OnForward:
    """A hook that is called behind every so many forward passes of a model.

    A copy of the model, or one that was saved whole and loaded, has in its place what does nothing: it is not watched,
    and needs no Runstream where it is loaded.

    Args:
        every: How many.
        take: Called with the model.
    """

    __slots__ = ("_every", "_passes", "_take")

    def __init__(self, every: int, take: Callable[[Any], None]) -> None:
        self._every = every
        self._take = take
        self._passes = 0

    def __call__(self, model: Any, *_: Any) -> None:
        """Count a pass of the model."""
        self._passes += 1
        if self._passes < self._every:
            return
        self._passes = 0
        self._take(model)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return nullcontext().__exit__  # takes any three arguments and returns None

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")
