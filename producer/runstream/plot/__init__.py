"""Charts of tables: functions that return what is logged, as ``run.log({"chart": plot.line(table, "x", "y")})``."""

from runstream.plot.classification import confusion_matrix, pr_curve, roc_curve
from runstream.plot.custom_chart import CustomChart, Visualize, plot_table, visualize
from runstream.plot.of_tables import bar, histogram, line, line_series, scatter

__all__ = [
    "CustomChart",
    "Visualize",
    "bar",
    "confusion_matrix",
    "histogram",
    "line",
    "line_series",
    "plot_table",
    "pr_curve",
    "roc_curve",
    "scatter",
    "visualize",
]
