"""Logs the training of XGBoost models: ``xgboost.train(..., callbacks=[WandbCallback()])``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import xgboost
from xgboost.callback import TrainingCallback

from runstream.integration.charts import leave_out_importance
from runstream.messages import termwarn
from runstream.tracking.run.session import SESSION
from runstream.unsupported_media import raise_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstream.tracking.run.run import Run

#: XGBoost does not tell of a metric whether it is to rise; of its own ones, these are.
_RISING = frozenset({"auc", "aucpr", "interval-regression-accuracy", "map", "ndcg", "pre"})
_FALLING = frozenset({
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "logloss", "mae", "mape", "merror",
    "mlogloss", "mphe", "poisson-nloglik", "quantile", "rmse", "rmsle", "tweedie-nloglik",
})  # fmt: skip


class WandbCallback(TrainingCallback):
    """Logs a row of metrics an iteration, the model's parameters as config, and the best score, to the active run.

    It holds no run, so that it can be copied as scikit-learn copies the parameters of an estimator.

    Args:
        log_model: Upload the model; comes with files and artifacts.
        log_feature_importance: Draw a chart of the features' importance; left out with a warning until charts come.
        importance_type: Kind of importance that is drawn.
        define_metric: Sum up the metrics that XGBoost knows by their best value, min or max, not by their last one.

    Raises:
        Error: There is no active run.
        UnsupportedError: ``log_model`` is True.
    """

    def __init__(
        self,
        log_model: bool = False,  # noqa: FBT001, FBT002 - the signature of W&B
        log_feature_importance: bool = True,  # noqa: FBT001, FBT002
        importance_type: str = "gain",
        define_metric: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__()
        _active()
        if log_model:
            raise_unsupported("WandbCallback(log_model=True)")
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric
        self._defined: set[str] = set()

    def before_training(self, model: Any) -> Any:
        """Take the parameters into the config; those of a cross-validation are not at hand here."""
        if isinstance(model, xgboost.Booster):
            _active().config.update(json.loads(model.save_config()), allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Log the row of an iteration, and let the training go on."""
        del model
        row: dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                values_by_name = _named(f"{data}-{metric}", values[-1])
                self._define(next(iter(values_by_name)), metric)
                row |= values_by_name
        _active().log({**row, "epoch": epoch})
        return False

    def after_training(self, model: Any) -> Any:
        """Log the best score, where early stopping found one."""
        if isinstance(model, xgboost.Booster):
            if self.log_feature_importance:
                leave_out_importance("WandbCallback(log_feature_importance=False)")
            if model.attr("best_score") is not None:
                _active().log({"best_score": float(model.best_score), "best_iteration": int(model.best_iteration)})
        return model

    def _define(self, name: str, metric: str) -> None:
        if not self.define_metric or name in self._defined:
            return
        self._defined.add(name)
        # error@0.3 has a threshold; in ndcg- and map@3-, the sign changes the value of empty groups.
        kind = metric.partition("@")[0].removesuffix("-")
        if kind in _RISING | _FALLING:
            _active().define_metric(name, summary="max" if kind in _RISING else "min")


def wandb_callback() -> WandbCallback:
    """Return a :class:`WandbCallback`; the older way."""
    termwarn("wandb_callback() is deprecated; use WandbCallback() instead", repeat=False)
    return WandbCallback()


def _active() -> Run:
    return SESSION.active("integration.xgboost.WandbCallback()")


def _named(name: str, value: Any) -> dict[str, Any]:
    """Return a value under its name; of a cross-validation, mean and deviation."""
    return dict(_mean_and_deviation(name, value)) if isinstance(value, tuple) else {name: value}


def _mean_and_deviation(name: str, value: tuple[float, float]) -> Iterator[tuple[str, float]]:
    yield f"{name}-mean", value[0]
    yield f"{name}-std", value[1]
