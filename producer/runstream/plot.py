"""Charts: functions that return a placeholder, which is left out where it is logged, until tables are supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.unsupported_media import CustomChart

if TYPE_CHECKING:
    from collections.abc import Callable


def _unsupported_chart(name: str) -> Callable[..., Any]:
    def chart(*_arguments: Any, **_keywords: Any) -> Any:
        return CustomChart()

    chart.__name__ = chart.__qualname__ = name
    chart.__doc__ = "Return a placeholder: charts are not supported yet."
    return chart


bar = _unsupported_chart("bar")
confusion_matrix = _unsupported_chart("confusion_matrix")
histogram = _unsupported_chart("histogram")
line = _unsupported_chart("line")
line_series = _unsupported_chart("line_series")
pr_curve = _unsupported_chart("pr_curve")
roc_curve = _unsupported_chart("roc_curve")
scatter = _unsupported_chart("scatter")
