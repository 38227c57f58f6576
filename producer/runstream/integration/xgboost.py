"""Logs the training of XGBoost models: ``xgboost.train(..., callbacks=[WandbCallback()])``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import xgboost
from xgboost.callback import TrainingCallback

import runstream
from runstream.integration.active_run import active_run, log_importance, log_model_file

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Metrics of XGBoost that are better if higher, and lower. XGBoost has no interface to ask for that.
_MAXIMIZED = frozenset({"auc", "aucpr", "interval-regression-accuracy", "map", "ndcg", "pre"})
_MINIMIZED = frozenset({
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "logloss", "mae", "mape", "merror",
    "mlogloss", "mphe", "poisson-nloglik", "quantile", "rmse", "rmsle", "tweedie-nloglik",
})  # fmt: skip


class WandbCallback(TrainingCallback):
    """Logs the metrics of each iteration, the model's parameters as config, and the best score to the active run.

    It has no reference to the run, so that scikit-learn can copy it with the parameters of an estimator.

    Args:
        log_model: Log the model as the artifact ``RUN_ID_model.json`` at the end.
        log_feature_importance: Log a chart of feature importance at the end.
        importance_type: The kind of importance in the chart.
        define_metric: Show the best value of XGBoost's own metrics in the summary, min or max, instead of the last.

    Raises:
        Error: No run is active.
    """

    def __init__(
        self,
        log_model: bool = False,  # noqa: FBT001, FBT002 - the signature of W&B
        log_feature_importance: bool = True,  # noqa: FBT001, FBT002
        importance_type: str = "gain",
        define_metric: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__()
        _active_run()
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric
        self._defined: set[str] = set()

    def before_training(self, model: Any) -> Any:
        """Add the model's parameters to the config; those of a cross-validation are not available."""
        if isinstance(model, xgboost.Booster):
            _active_run().config.update(json.loads(model.save_config()), allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Log the metrics of an iteration; return False to continue the training."""
        del model
        row: dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                values_by_name = _named(f"{data}-{metric}", values[-1])
                self._define(next(iter(values_by_name)), metric)
                row |= values_by_name
        _active_run().log({**row, "epoch": epoch})
        return False

    def after_training(self, model: Any) -> Any:
        """Log the best score, if early stopping is enabled."""
        if isinstance(model, xgboost.Booster):
            if self.log_feature_importance:
                self._log_importance(model)
            if self.log_model:
                log_model_file(_active_run(), f"{_active_run().id}_model.json", model.save_model)
            if model.attr("best_score") is not None:
                _active_run().log({"best_score": float(model.best_score), "best_iteration": int(model.best_iteration)})
        return model

    def _log_importance(self, model: xgboost.Booster) -> None:
        try:
            scores = model.get_score(importance_type=self.importance_type)
        except ValueError as error:  # a linear model has one kind of importance only
            runstream.termwarn(f"The chart of feature importance is left out: {error}", repeat=False)
            return
        log_importance(_active_run(), scores.items())

    def _define(self, name: str, metric: str) -> None:
        if not self.define_metric or name in self._defined:
            return
        self._defined.add(name)
        # error@0.3 has a threshold; in ndcg- and map@3-, the sign changes the value of empty groups.
        kind = metric.partition("@")[0].removesuffix("-")
        if kind in _MAXIMIZED | _MINIMIZED:
            _active_run().define_metric(name, summary="max" if kind in _MAXIMIZED else "min")


def wandb_callback() -> WandbCallback:
    """Return a :class:`WandbCallback`; deprecated."""
    runstream.termwarn("wandb_callback() is deprecated; use WandbCallback() instead", repeat=False)
    return WandbCallback()


def _active_run() -> runstream.Run:
    return active_run("xgboost.WandbCallback()")


def _named(name: str, value: Any) -> dict[str, Any]:
    """Return a value by its name; for a cross-validation, mean and standard deviation."""
    return {f"{name}-mean": value[0], f"{name}-std": value[1]} if isinstance(value, tuple) else {name: value}
