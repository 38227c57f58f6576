"""The plots of scikit-learn models under the names of W&B. They are left out, since there are no charts yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import runstream

if TYPE_CHECKING:
    from collections.abc import Callable


def _left_out(name: str) -> Callable[..., None]:
    def plot(*_arguments: Any, **_keywords: Any) -> None:
        runstream.termwarn(
            f"{name}() is left out: this version of Runstream does not have charts and tables; log numbers instead",
            repeat=False,
        )

    plot.__name__ = plot.__qualname__ = name
    plot.__doc__ = "Print a warning once: charts are not supported yet."
    return plot


plot_calibration_curve = _left_out("plot_calibration_curve")
plot_class_proportions = _left_out("plot_class_proportions")
plot_classifier = _left_out("plot_classifier")
plot_clusterer = _left_out("plot_clusterer")
plot_confusion_matrix = _left_out("plot_confusion_matrix")
plot_elbow_curve = _left_out("plot_elbow_curve")
plot_feature_importances = _left_out("plot_feature_importances")
plot_learning_curve = _left_out("plot_learning_curve")
plot_outlier_candidates = _left_out("plot_outlier_candidates")
plot_precision_recall = _left_out("plot_precision_recall")
plot_regressor = _left_out("plot_regressor")
plot_residuals = _left_out("plot_residuals")
plot_roc = _left_out("plot_roc")
plot_silhouette = _left_out("plot_silhouette")
plot_summary_metrics = _left_out("plot_summary_metrics")
