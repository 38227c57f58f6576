"""Logs the training of CatBoost models: ``model.fit(..., callbacks=[WandbCallback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import runstream
from runstream.integration.active_run import active_run, log_importance, log_model_file

if TYPE_CHECKING:
    from collections.abc import Iterator


class WandbCallback:
    """Logs the metrics of each evaluation to the active run.

    Args:
        metric_period: The ``metric_period`` of the model: the number of iterations between two evaluations.

    Raises:
        Error: No run is active.
    """

    def __init__(self, metric_period: int = 1) -> None:
        self._run = active_run("catboost.WandbCallback()")
        self._iteration = f"iteration@metric-period-{metric_period}"
        #: Evaluations that are logged; CatBoost calls after every iteration.
        self._evaluations = 0

    def after_iteration(self, info: Any) -> bool:
        """Log the newest value of each metric if there is a new one; return True, so that the training goes on."""
        metrics = list(_metrics(info.metrics))
        if (evaluations := sum(len(values) for _, values in metrics)) > self._evaluations:
            self._evaluations = evaluations
            newest = {name: values[-1] for name, values in metrics if values}
            self._run.log({**newest, self._iteration: info.iteration})
        return True


def log_summary(
    model: Any,
    log_all_params: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    save_model_checkpoint: bool = False,  # noqa: FBT001, FBT002
    log_feature_importance: bool = True,  # noqa: FBT001, FBT002
) -> None:
    """Store the best iteration and the best scores of a model in the summary, and its parameters in the config.

    Args:
        model: The trained ``CatBoostClassifier`` or ``CatBoostRegressor``.
        log_all_params: Add all parameters of the model to the config.
        save_model_checkpoint: Log the model as the artifact ``model_RUN_ID``.
        log_feature_importance: Log a chart of feature importance.

    Raises:
        Error: No run is active; as UsageError, the model is not a CatBoost model.
    """
    run = active_run("catboost.log_summary()")
    if not hasattr(model, "get_best_iteration"):
        raise runstream.UsageError(f"Invalid model {model!r:.60}: log_summary() expects a CatBoost model")
    if log_all_params:
        run.config.update(model.get_all_params(), allow_val_change=True)
    run.summary["best_iteration"] = model.get_best_iteration()
    run.summary["best_score"] = model.get_best_score()
    if save_model_checkpoint:
        log_model_file(run, f"model_{run.id}", model.save_model)
    if log_feature_importance:
        log_importance(run, zip(model.feature_names_, model.feature_importances_, strict=True))


def _metrics(given: Any) -> Iterator[tuple[str, list[float]]]:
    for data, metrics in given.items():
        for metric, values in metrics.items():
            yield f"{data}-{metric}", values
