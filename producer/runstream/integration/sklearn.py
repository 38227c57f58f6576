"""The plots of scikit-learn models under the names of W&B: each logs a chart to the active run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import base, calibration, metrics, model_selection

import runstream
from runstream import plot
from runstream.integration.active_run import active_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Samples of a chart with a point for each.
_MOST_SAMPLES = 1000


def plot_roc(y_true: Any = None, y_probas: Any = None, labels: Any = None, classes_to_plot: Any = None) -> None:
    """Log the ROC curve of each class."""
    _log("roc", plot.roc_curve(y_true, y_probas, labels, classes_to_plot))


def plot_precision_recall(
    y_true: Any = None, y_probas: Any = None, labels: Any = None, classes_to_plot: Any = None
) -> None:
    """Log the precision by recall of each class."""
    _log("precision_recall", plot.pr_curve(y_true, y_probas, labels, classes_to_plot))


def plot_confusion_matrix(y_true: Any = None, y_pred: Any = None, labels: Any = None) -> None:
    """Log how many samples of each class were predicted to be of each class."""
    truth, predicted = np.asarray(y_true), np.asarray(y_pred)
    classes, places = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    names = [str(name) for name in (classes if labels is None or len(labels) != len(classes) else labels)]
    count = len(truth)
    _log("confusion_matrix", plot.confusion_matrix(y_true=places[:count], preds=places[count:], class_names=names))


def plot_feature_importances(
    model: Any = None,
    feature_names: Any = None,
    title: str = "Feature Importance",
    max_num_features: int = 50,
) -> None:
    """Log the importance of each feature: of a tree, or of the coefficients of a linear model."""
    found = getattr(model, "feature_importances_", None)
    if found is None and (found := getattr(model, "coef_", None)) is None:
        runstream.termwarn("plot_feature_importances() needs a model with feature_importances_ or coef_", repeat=False)
        return
    values = np.atleast_2d(np.asarray(found))[0]
    names = [str(at) for at in range(len(values))] if feature_names is None else [*map(str, feature_names)]
    order = np.argsort(-np.abs(values))[:max_num_features]
    rows = [[names[at], values[at].item()] for at in order]
    _log("feature_importances", plot.bar(_table(["feature_names", "importances"], rows), *_FEATURES, title=title))


_FEATURES = ("feature_names", "importances")


def plot_class_proportions(y_train: Any = None, y_test: Any = None, labels: Any = None) -> None:
    """Log how many samples of each class there are in the training and in the test data."""
    rows = []
    for dataset, given in (("train", y_train), ("test", y_test)):
        for value, count in zip(*np.unique(np.asarray(given), return_counts=True), strict=True):
            is_index = labels is not None and np.issubdtype(np.asarray(value).dtype, np.integer)
            rows.append([str(labels[value] if is_index else value), dataset, int(count)])
    table = _table(["class", "dataset", "count"], rows)
    fields = {name: name for name in ("class", "dataset", "count")}
    _log("class_proportions", plot.plot_table("wandb/class_proportions/v1", table, fields))


def plot_calibration_curve(clf: Any = None, X: Any = None, y: Any = None, clf_name: str = "Classifier") -> None:  # noqa: N803
    """Log which fraction of the samples is of the class, by the probability that a binary classifier predicts."""
    found, predicted = calibration.calibration_curve(y, clf.predict_proba(X)[:, 1], n_bins=10)
    rows = [["Perfectly calibrated", 0.0, 0.0], ["Perfectly calibrated", 1.0, 1.0]]
    rows += [[clf_name, *point] for point in np.round(np.stack([predicted, found], axis=1), 3).tolist()]
    _log_lines("calibration_curve", ["model", "mean_predicted_value", "fraction_of_positives"], rows)


def plot_learning_curve(  # noqa: PLR0917 - the signature of W&B
    model: Any = None,
    X: Any = None,  # noqa: N803
    y: Any = None,
    cv: Any = None,
    shuffle: bool = False,  # noqa: FBT001, FBT002
    random_state: Any = None,
    train_sizes: Any = None,
    n_jobs: int = 1,
    scoring: Any = None,
) -> None:
    """Log the scores of a model by the size of the training data; trains it several times."""
    sizes, train, test = model_selection.learning_curve(
        model,
        X,
        y,
        cv=cv,
        shuffle=shuffle,
        random_state=random_state,
        train_sizes=np.linspace(0.1, 1.0, 5) if train_sizes is None else train_sizes,
        n_jobs=n_jobs,
        scoring=scoring,
    )[:3]
    scores = (("train", train.mean(axis=1)), ("test", test.mean(axis=1)))
    rows = [[name, int(size), float(score)] for name, means in scores for size, score in zip(sizes, means, strict=True)]
    _log_lines("learning_curve", ["dataset", "train_size", "score"], rows)


def plot_summary_metrics(
    model: Any = None,
    X: Any = None,  # noqa: N803
    y: Any = None,
    X_test: Any = None,  # noqa: N803
    y_test: Any = None,
) -> None:
    """Log metrics of a model that is trained with ``X`` and ``y``: of a classifier or of a regressor."""
    model.fit(X, y)
    predicted = model.predict(X_test)
    if base.is_classifier(model):
        found = {
            "accuracy_score": metrics.accuracy_score(y_test, predicted),
            "f1_score": metrics.f1_score(y_test, predicted, average="weighted"),
            "precision": metrics.precision_score(y_test, predicted, average="weighted", zero_division=0),
            "recall": metrics.recall_score(y_test, predicted, average="weighted", zero_division=0),
        }
    else:
        found = {
            "mae": metrics.mean_absolute_error(y_test, predicted),
            "mse": metrics.mean_squared_error(y_test, predicted),
            "r2_score": metrics.r2_score(y_test, predicted),
        }
    rows = [[name, type(model).__name__, float(value)] for name, value in found.items()]
    table = _table(["metric_name", "model_name", "metric_value"], rows)
    _log("summary_metrics", plot.bar(table, "metric_name", "metric_value", title="Summary Metrics"))


def plot_elbow_curve(
    clusterer: Any = None,
    X: Any = None,  # noqa: N803
    cluster_ranges: Iterable[int] | None = None,
    n_jobs: int = 1,  # noqa: ARG001 - as W&B
    show_cluster_time: bool = True,  # noqa: FBT001, FBT002
) -> None:
    """Log the error of a clustering by the number of clusters; fits a copy of the model for each number."""
    rows = []
    for count in [*range(1, 10, 2)] if cluster_ranges is None else cluster_ranges:
        model, began = base.clone(clusterer), time.monotonic()
        model.set_params(n_clusters=count).fit(X)
        rows.append(["error", count, float(abs(model.score(X)))])
        if show_cluster_time:
            rows.append(["seconds", count, time.monotonic() - began])
    _log_lines("elbow_curve", ["curve", "cluster_ranges", "value"], rows)


def plot_silhouette(  # noqa: PLR0917 - the signature of W&B
    clusterer: Any = None,
    X: Any = None,  # noqa: N803
    cluster_labels: Any = None,
    labels: Any = None,  # noqa: ARG001 - as W&B
    metric: str = "euclidean",
    kmeans: bool = True,  # noqa: ARG001, FBT001, FBT002
) -> None:
    """Log the silhouette coefficient of each sample, sorted within its cluster."""
    found = np.asarray(clusterer.fit_predict(X) if cluster_labels is None else cluster_labels)
    values = metrics.silhouette_samples(X, found, metric=metric)
    order = np.lexsort((-values, found))[:: max(1, len(found) // _MOST_SAMPLES)]
    rows = [[str(found[at]), place, float(values[at])] for place, at in enumerate(order)]
    _log_lines("silhouette_plot", ["cluster", "sample", "silhouette"], rows)


def plot_residuals(regressor: Any = None, X: Any = None, y: Any = None) -> None:  # noqa: N803
    """Log the difference between prediction and truth, by the prediction."""
    predicted = np.asarray(regressor.predict(X))
    points = np.stack([predicted, predicted - np.asarray(y)], axis=1)[:: max(1, len(predicted) // _MOST_SAMPLES)]
    table = _table(["y_pred", "residual"], points.tolist())
    _log("residuals", plot.scatter(table, "y_pred", "residual", title="Residuals"))


def plot_outlier_candidates(regressor: Any = None, X: Any = None, y: Any = None) -> None:  # noqa: N803
    """Log Cook's distance of each sample: how much a linear model depends on it."""
    data = np.asarray(X, dtype=float)
    residuals = np.asarray(y) - np.asarray(regressor.predict(X))
    leverage = np.einsum("ij,ji->i", data, np.linalg.pinv(data))
    mean_squared = float(np.mean(residuals**2)) or 1.0
    distances = residuals**2 / (data.shape[1] * mean_squared) * leverage / np.maximum(1 - leverage, 1e-12) ** 2
    rows = [[at, float(distance)] for at, distance in enumerate(distances)]
    table = _table(["sample", "cooks_distance"], rows[:: max(1, len(rows) // _MOST_SAMPLES)])
    _log("outlier_candidates", plot.bar(table, "sample", "cooks_distance", title="Cook's Distance"))


def plot_classifier(  # noqa: PLR0917 - the signature of W&B
    model: Any,
    X_train: Any,  # noqa: N803
    X_test: Any,  # noqa: N803
    y_train: Any,
    y_test: Any,
    y_pred: Any,
    y_probas: Any,
    labels: Any,
    is_binary: bool = False,  # noqa: FBT001, FBT002
    model_name: str = "Classifier",
    feature_names: Any = None,
    log_learning_curve: bool = False,  # noqa: FBT001, FBT002
) -> None:
    """Log all charts of a classifier."""
    plot_feature_importances(model, feature_names)
    if log_learning_curve:
        plot_learning_curve(model, X_train, y_train)
    plot_confusion_matrix(y_test, y_pred, labels)
    plot_summary_metrics(base.clone(model), X_train, y_train, X_test, y_test)
    plot_class_proportions(y_train, y_test, labels)
    if is_binary:
        plot_calibration_curve(model, X_test, y_test, model_name)
    if y_probas is None:
        runstream.termwarn("The ROC and precision-recall curves are left out: y_probas is None", repeat=False)
        return
    plot_roc(y_test, y_probas, labels)
    plot_precision_recall(y_test, y_probas, labels)


def plot_regressor(  # noqa: PLR0917 - the signature of W&B
    model: Any,
    X_train: Any,  # noqa: N803
    X_test: Any,  # noqa: N803
    y_train: Any,
    y_test: Any,
    model_name: str = "Regressor",  # noqa: ARG001
) -> None:
    """Log all charts of a regressor."""
    plot_summary_metrics(base.clone(model), X_train, y_train, X_test, y_test)
    plot_learning_curve(model, X_train, y_train)
    plot_outlier_candidates(model, X_train, y_train)
    plot_residuals(model, X_train, y_train)


def plot_clusterer(
    model: Any,
    X_train: Any,  # noqa: N803
    cluster_labels: Any,
    labels: Any = None,
    model_name: str = "Clusterer",  # noqa: ARG001
) -> None:
    """Log all charts of a clustering."""
    plot_elbow_curve(model, X_train)
    plot_silhouette(model, X_train, cluster_labels, labels)


def _log(key: str, chart: Any) -> None:
    active_run(f"sklearn.plot_{key}()").log({key: chart})


def _log_lines(key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Log a line for each value of the first column."""
    line, x, y = columns
    _log(key, plot.line(_table(columns, rows), x, y, stroke=line, title=key.replace("_", " ").capitalize()))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> runstream.Table:
    return runstream.Table(columns=[*columns], data=[list(row) for row in rows])
