"""Options of the integrations, and what the callbacks log."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import runstream
from runstream.exceptions import UsageError
from runstream.integration import lightgbm, xgboost
from runstream.spool.format import TopicCode
from tests.unit.producer.spooled import of_topic, primary, steps_and_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Iterator[runstream.Run]:
    """Start an offline run in its own folder."""
    run = runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True})
    yield run
    run.finish()


@pytest.mark.parametrize("make", [xgboost.WandbCallback, lightgbm.wandb_callback])
def test_a_callback_needs_an_active_run(make: Any) -> None:
    """Without ``init()``, creating the callback raises an error, before the training starts."""
    with pytest.raises(runstream.Error, match=r"runstream\.init\(\)"):
        make()


def test_importance_and_model_are_logged(run: runstream.Run, tmp_path: Path) -> None:
    """The chart of feature importance has a row for each feature, and the model is an artifact of one file."""
    import lightgbm as library  # noqa: PLC0415 - a module has the same name
    import numpy as np  # noqa: PLC0415

    data = library.Dataset(np.arange(40.0).reshape(20, 2), np.arange(20) % 2)
    options = {"objective": "binary", "metric": "auc", "verbose": -1, "num_threads": 1}
    model = library.train(options, data, 1, valid_sets=[data])

    with pytest.raises(UsageError, match="Booster"):
        lightgbm.log_summary(object())  # type: ignore[arg-type]
    assert dict(run.summary.items()) == {}
    lightgbm.log_summary(model, save_model_checkpoint=True)
    run.log({})
    assert run.summary["best_score"].keys() == {"training"}
    assert "best_iteration" in run.summary
    assert run.summary["Feature Importance_table"]["nrows"] == 2
    run.finish()
    assert _logged(tmp_path) == [(f"model_{run.id}.txt", "model")]


def test_xgboost_logs_importance_and_model(run: runstream.Run, tmp_path: Path) -> None:
    """At the end of the training; a linear model has no chart of gains, and is trained nevertheless."""
    import numpy as np  # noqa: PLC0415
    import xgboost as library  # noqa: PLC0415

    data = library.DMatrix(np.arange(40.0).reshape(20, 2), np.arange(20) % 2)
    for booster in ("gbtree", "gblinear"):
        callback = xgboost.WandbCallback(log_model=booster == "gbtree")
        library.train({"booster": booster, "nthread": 1}, data, 2, callbacks=[callback])
    run.log({})
    assert run.summary["Feature Importance_table"]["ncols"] == 2
    run.finish()
    assert _logged(tmp_path) == [(f"{run.id}_model.json", "model")]


def _logged(folder: Path) -> list[tuple[str, str]]:
    """Return names and types of the artifacts of the only run, without those of logged tables."""
    records = of_topic(primary(folder), TopicCode.ARTIFACT)
    return [(one["name"], one["type"]) for one in records if one["type"] != "run_table"]


@pytest.mark.parametrize(
    ("results", "row"),
    [
        ([("valid", "auc", 0.5, True, 0.1)], {"valid_auc-mean": 0.5, "valid_auc-stdv": 0.1}),
        ([("cv_agg", "valid auc", 0.5, True, 0.1)], {"valid_auc-mean": 0.5, "valid_auc-stdv": 0.1}),
        ([("valid", "mine", 2, False)], {"valid_mine": 2.0}),
        ([], {}),
    ],
    ids=["cross-validation", "older-cross-validation", "own-metric", "nothing"],
)
def test_lightgbm_logs_the_results_of_an_iteration(
    run: runstream.Run, tmp_path: Path, results: list[Any], row: dict[str, float]
) -> None:
    """For a cross-validation, mean and deviation; without validation data, only the iteration."""
    environment = SimpleNamespace(evaluation_result_list=results, iteration=0, begin_iteration=0, params={})

    lightgbm.wandb_callback()(environment)
    run.finish()

    assert [values for _, values in steps_and_values(primary(tmp_path))] == [{**row, "iteration": 0}]


def test_xgboost_logs_a_cross_validation(run: runstream.Run, tmp_path: Path) -> None:
    """Mean and deviation of each metric, also by a copy of the callback, as scikit-learn makes them."""
    copy.deepcopy(xgboost.WandbCallback()).after_iteration(None, 0, {"test": {"auc": [(0.5, 0.1)]}})
    run.finish()

    assert [values for _, values in steps_and_values(primary(tmp_path))] == [
        {"test-auc-mean": 0.5, "test-auc-std": 0.1, "epoch": 0}
    ]


@pytest.mark.parametrize(
    ("metric", "value", "summary"),
    [
        ("error@0.3", 0.2, {"v-error@0.3": {"min": 0.2}}),
        ("ndcg@2", 0.5, {"v-ndcg@2": {"max": 0.5}}),
        ("map@3-", 0.5, {"v-map@3-": {"max": 0.5}}),
        ("ndcg-", 0.5, {"v-ndcg-": {"max": 0.5}}),
        ("tweedie-nloglik@1.5", 3.0, {"v-tweedie-nloglik@1.5": {"min": 3.0}}),
        ("own-metric:a@1", 0.1, {"v-own-metric:a@1": 0.1}),
        ("error@0.3", (0.2, 0.1), {"v-error@0.3-mean": {"min": 0.2}, "v-error@0.3-std": 0.1}),
    ],
)
def test_xgboost_defines_metrics_by_the_names_that_it_logs(
    run: runstream.Run, metric: str, value: Any, summary: dict[str, Any]
) -> None:
    """The summary has the best value of a known metric, also if its name has parameters."""
    xgboost.WandbCallback().after_iteration(None, 0, {"v": {metric: [value]}})

    assert {key: kept for key, kept in run.summary.items() if key.startswith("v-")} == summary


def test_xgboost_metrics_with_parameters_keep_their_definitions(run: runstream.Run) -> None:
    """XGBoost itself trains with the metrics ``error@0.3`` and ``tweedie-nloglik@1.4``."""
    import numpy as np  # noqa: PLC0415
    import xgboost as library  # noqa: PLC0415 - a module has the same name

    data = library.DMatrix(np.arange(40.0).reshape(20, 2), np.arange(20) % 2)
    library.train(
        {"objective": "binary:logistic", "eval_metric": ["error@0.3", "tweedie-nloglik@1.4"], "nthread": 1},
        data,
        num_boost_round=2,
        evals=[(data, "validation_0")],
        callbacks=[xgboost.WandbCallback()],
        verbose_eval=False,
    )

    assert [run.summary[f"validation_0-{metric}"].keys() for metric in ("error@0.3", "tweedie-nloglik@1.4")] == [
        {"min"},
        {"min"},
    ]


def test_lightgbm_metrics_with_parameters_keep_their_definitions(run: runstream.Run) -> None:
    """The definition has the same name as the logged value."""
    results = [("my-data:1", "ndcg@3", 0.5, True), ("my-data:1", "own metric-x", 0.2, False)]
    environment = SimpleNamespace(evaluation_result_list=results, iteration=0, begin_iteration=0, params={})

    lightgbm.wandb_callback()(environment)

    assert run.summary["my-data:1_ndcg@3"] == {"max": 0.5}
    assert run.summary["my-data:1_own metric-x"] == {"min": 0.2}
