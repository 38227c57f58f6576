"""Charts of a classifier: its curves, and its confusion matrix."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from runstream.messages import termwarn
from runstream.plot.curves import precision_and_recall, roc
from runstream.plot.custom_chart import CustomChart, plot_table
from runstream.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

#: Points of a chart; more cannot be distinguished.
_MOST_POINTS = Table.MAX_ROWS
_AREA = "wandb/area-under-curve/v0"


def pr_curve(  # noqa: PLR0917 - the signature of W&B
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    interp_size: int = 21,
    title: str = "Precision-Recall Curve",
    split_table: bool = False,  # noqa: FBT001, FBT002
) -> CustomChart:
    """Return the precision by recall of each class.

    Args:
        y_true: The class of each sample.
        y_probas: The probability of each class, in order of the classes, for each sample.
        labels: Names of the classes, if these are numbers.
        classes_to_plot: The classes to draw; None for all.
        interp_size: The recalls, at equal distances, at which the precision is computed.
        title: Title of the chart.
        split_table: Whether the table is shown in a section of its own.

    Raises:
        TypeError: ``y_true`` or ``y_probas`` is missing.
        ValueError: They do not have as many samples, or a probability for each class, or one is NaN.
    """
    import numpy as np  # noqa: PLC0415 - not needed to import this module

    recalls = np.linspace(0, 1, interp_size)[::-1]

    def points(truth: np.ndarray, scores: np.ndarray) -> tuple[Any, Any]:
        precision, recall = precision_and_recall(truth, scores)
        precision = np.maximum.accumulate(precision)[::-1]
        return precision[np.searchsorted(recall[::-1], recalls, side="left")], recalls

    table = _curves(points, ("precision", "recall"), y_true, y_probas, labels, classes_to_plot)
    texts = {"title": title, "x-axis-title": "Recall", "y-axis-title": "Precision"}
    return plot_table(_AREA, table, {"x": "recall", "y": "precision", "class": "class"}, texts, split_table)


def roc_curve(  # noqa: PLR0917 - the signature of W&B
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    title: str = "ROC Curve",
    split_table: bool = False,  # noqa: FBT001, FBT002
) -> CustomChart:
    """Return the true by the false positive rate of each class; arguments and errors as of :func:`pr_curve`."""
    table = _curves(roc, ("fpr", "tpr"), y_true, y_probas, labels, classes_to_plot)
    texts = {"title": title, "x-axis-title": "False positive rate", "y-axis-title": "True positive rate"}
    return plot_table(_AREA, table, {"x": "fpr", "y": "tpr", "class": "class"}, texts, split_table)


def confusion_matrix(  # noqa: PLR0917 - the signature of W&B
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,  # noqa: FBT001, FBT002
) -> CustomChart:
    """Return how many samples of each class were predicted to be of each class.

    Args:
        probs: The probability of each class for each sample; or:
        preds: The predicted class of each sample.
        y_true: The class of each sample.
        class_names: Names of the classes, which are then the numbers from 0.
        title: Title of the chart.
        split_table: Whether the table is shown in a section of its own.

    Raises:
        TypeError: ``y_true`` is missing, or both ``probs`` and ``preds`` are.
        ValueError: Both are given, there are not as many samples, or there are more classes than names.
        KeyError: A class has no name.
    """
    import numpy as np  # noqa: PLC0415

    if probs is not None and preds is not None:
        raise ValueError("Invalid arguments: expected probs or preds, not both")
    if probs is not None:
        preds = np.argmax(np.asarray(probs), axis=1).tolist()
    if preds is None or y_true is None:
        raise TypeError("Missing argument: expected y_true, and probs or preds")
    truth, predicted = np.asarray(y_true).tolist(), np.asarray(preds).tolist()
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} predictions for {len(truth)} samples: expected as many")
    found = {*predicted, *truth}
    if class_names is None:
        classes = sorted(found)
        names: Sequence[str] = [f"Class_{number + 1}" for number in range(len(classes))]
    else:
        classes, names = list(range(len(class_names))), [*class_names]
        if (most := max(len({*predicted}), len({*truth}))) > len(names):
            raise ValueError(f"{most} classes for {len(names)} class_names: expected no more")
    places = {value: at for at, value in enumerate(classes)}
    if missing := found - places.keys():
        raise KeyError(f"The class {min(missing, key=str)!r} has no name: class_names has {len(names)}")
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, ([places[value] for value in truth], [places[value] for value in predicted]), 1)
    rows = [[names[one], names[other], counts[one, other].item()] for one, other in product(places.values(), repeat=2)]
    table = Table(columns=["Actual", "Predicted", "nPredictions"], data=rows)
    fields = {name: name for name in ("Actual", "Predicted", "nPredictions")}
    return plot_table("wandb/confusion_matrix/v1", table, fields, {"title": title}, split_table)


def _curves(  # noqa: PLR0917
    curve: Callable[[np.ndarray, np.ndarray], tuple[Any, Any]],
    axes: tuple[str, str],
    y_true: Any,
    y_probas: Any,
    labels: Sequence[str] | None,
    classes_to_plot: Sequence[Any] | None,
) -> Table:
    """Return the table with the points of a curve of each class, rounded to three digits."""
    import numpy as np  # noqa: PLC0415

    if y_true is None or y_probas is None:
        raise TypeError("Missing argument: expected y_true and y_probas")
    truth, scores = np.asarray(y_true), np.asarray(y_probas)
    classes = np.unique(truth)
    if scores.ndim != 2 or len(scores) != len(truth) or scores.shape[1] < len(classes):  # noqa: PLR2004
        raise ValueError(
            f"Invalid y_probas of shape {scores.shape}: expected a probability of each of {len(classes)} classes for "
            f"{len(truth)} samples"
        )
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        raise ValueError("Invalid y_probas: expected probabilities, not NaN")
    chosen = classes if classes_to_plot is None else classes[np.isin(classes, classes_to_plot)]
    rows: list[list[Any]] = []
    for at, value in enumerate(classes):
        if value not in chosen:
            continue
        name = labels[value] if labels is not None and np.issubdtype(classes.dtype, np.integer) else value.item()
        found = np.round(np.stack(curve(truth == value, scores[:, at]), axis=1), 3)
        rows += [[name, *point] for point in _thinned(found, _MOST_POINTS // len(chosen)).tolist()]
    return Table(columns=["class", *axes], data=rows)


def _thinned(points: np.ndarray, most: int) -> np.ndarray:
    """Return points of a curve at equal distances, the ends included, if there are too many."""
    import numpy as np  # noqa: PLC0415

    if len(points) <= max(most, 2):
        return points
    termwarn(f"{len(points)} points of a curve are drawn as {most}", repeat=False)
    return np.take(points, np.linspace(0, len(points) - 1, max(most, 2)).round().astype(int), axis=0)
