"""The plots of scikit-learn models: what each logs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

import runstream
from runstream.integration import sklearn

if TYPE_CHECKING:
    from pathlib import Path

DATA = np.random.default_rng(0).random((60, 3))


def test_plots_log_charts(tmp_path: Path) -> None:
    """A classifier, a regressor and a clustering each have their charts, with rows in their tables."""
    classes = (DATA[:, 0] > 0.5).astype(int)
    with runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True}) as run:
        tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(DATA, classes)
        options: dict[str, Any] = {"is_binary": True, "feature_names": ["a", "b", "c"]}
        probabilities = tree.predict_proba(DATA)
        sklearn.plot_classifier(
            tree, DATA, DATA, classes, classes, tree.predict(DATA), probabilities, ["low", "high"], **options
        )
        target = DATA @ [1.0, 2.0, 3.0]
        sklearn.plot_regressor(LinearRegression().fit(DATA, target), DATA, DATA, target, target)
        clusters = KMeans(2, n_init=1, random_state=0).fit(DATA)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sklearn.plot_clusterer(clusters, DATA, clusters.labels_)
        found = {key: value["nrows"] for key, value in run.summary.items() if key.endswith("_table")}

    assert found.keys() == {
        f"{name}_table"
        for name in """
            feature_importances confusion_matrix summary_metrics class_proportions calibration_curve roc
            precision_recall learning_curve outlier_candidates residuals elbow_curve silhouette_plot
        """.split()  # noqa: SIM905
    }
    assert min(found.values()) > 0


def test_a_plot_needs_a_run_and_a_suitable_model(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a run there is an error; a model without importances is reported."""
    with pytest.raises(runstream.Error, match="No active run"):
        sklearn.plot_roc([0, 1], [[0.9, 0.1], [0.2, 0.8]])
    sklearn.plot_feature_importances(object())
    assert "feature_importances_" in capsys.readouterr().err
