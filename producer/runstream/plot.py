"""Charts: names that refuse until charts come with tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.unsupported_media import refuse

if TYPE_CHECKING:
    from collections.abc import Callable


def _to_come(name: str) -> Callable[..., Any]:
    def chart(*_arguments: Any, **_keywords: Any) -> Any:
        refuse(f"plot.{name}()")

    chart.__name__ = chart.__qualname__ = name
    chart.__doc__ = "Refuse: charts come with files and artifacts. Raises UnsupportedError."
    return chart


bar = _to_come("bar")
confusion_matrix = _to_come("confusion_matrix")
histogram = _to_come("histogram")
line = _to_come("line")
line_series = _to_come("line_series")
pr_curve = _to_come("pr_curve")
roc_curve = _to_come("roc_curve")
scatter = _to_come("scatter")
