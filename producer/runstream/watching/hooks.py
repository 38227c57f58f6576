"""Hooks of a watched model. Between two samples they only count, since they are called in each pass."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def every_nth(every: int, action: Callable[..., None]) -> Callable[..., None]:
    """Return a function that calls ``action`` with its own arguments in every ``every``-th call."""
    calls = 0

    def count(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls >= every:
            calls = 0
            action(*arguments)

    return count


def gradient_hook(name: str, every: int, sample: Callable[[str, Any], None]) -> Callable[[Any], None]:
    """Return a hook of a parameter that passes its name and every ``every``-th gradient to ``sample``."""
    hook = every_nth(every, partial(sample, name))
    # Without this, torch warns when a model is saved that the parameter is saved without its hook.
    hook.__torch_unserializable__ = True  # type: ignore[attr-defined]
    return hook


def register_pass_hooks(model: Any, every: int, action: Callable[..., None]) -> list[Any]:
    """Register hooks that call ``action`` with a model in every ``every``-th forward pass; return their handles.

    A pass is a call of the model. Until the model itself is called, it begins when a part is called again.
    """
    count = every_nth(every, action)
    called: set[Any] = set()
    parts: list[Any] = []

    def leave_part(part: Any, *_: Any) -> None:
        if not called or part in called:
            called.clear()
            count(model)
        called.add(part)

    def enter_model(*_: Any) -> None:
        for handle in parts:
            handle.remove()

    parts += [part.register_forward_hook(ModuleHook(leave_part)) for part in model.modules() if part is not model]
    parts.append(model.register_forward_pre_hook(ModuleHook(enter_model)))
    return [*parts, model.register_forward_hook(ModuleHook(count))]


class ModuleHook:
    """A hook of a module that copies of the module do not have.

    A copy, or a model that was saved whole and loaded, gets a function that does nothing in its place. So it is not
    watched, and can be loaded where Runstream is not installed.
    """

    __slots__ = ("_action",)

    def __init__(self, action: Callable[..., None]) -> None:
        self._action = action

    def __call__(self, *arguments: Any) -> None:
        """Call the action. What it returns is ignored, as torch would use it as the output of the module."""
        self._action(*arguments)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return nullcontext().__exit__  # accepts any arguments and returns None

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")
