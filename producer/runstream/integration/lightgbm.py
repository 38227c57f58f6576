"""Logs the training of LightGBM models: ``lightgbm.train(..., callbacks=[wandb_callback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm

from runstream.exceptions import UsageError
from runstream.integration.charts import leave_out_importance
from runstream.tracking.run.session import SESSION
from runstream.unsupported_media import raise_unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def wandb_callback(
    log_params: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    define_metric: bool = True,  # noqa: FBT001, FBT002
) -> Callable[[Any], None]:
    """Return a callback that logs a row of metrics an iteration.

    Args:
        log_params: Take the parameters of the training into the config.
        define_metric: Sum metrics up by their best value, min or max, not by their last one.

    Raises:
        Error: There is no active run.
    """
    return _Callback(log_params=log_params, define_metric=define_metric)


def log_summary(
    model: lightgbm.Booster,
    feature_importance: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    save_model_checkpoint: bool = False,  # noqa: FBT001, FBT002
) -> None:
    """Put a model's best iteration and best scores into the summary.

    Args:
        model: The trained model.
        feature_importance: Draw a chart of the features' importance; left out with a warning until charts come.
        save_model_checkpoint: Upload the model; comes with files and artifacts.

    Raises:
        Error: There is no active run; as UsageError, the model is no ``lightgbm.Booster``.
        UnsupportedError: ``save_model_checkpoint`` is True.
    """
    run = SESSION.active("integration.lightgbm.log_summary()")
    if not isinstance(model, lightgbm.Booster):
        raise UsageError(
            f"log_summary() takes a lightgbm.Booster, not {model!r:.60}; a scikit-learn model's is booster_"
        )
    if save_model_checkpoint:
        raise_unsupported("log_summary(save_model_checkpoint=True)")
    run.summary["best_iteration"] = model.best_iteration
    run.summary["best_score"] = {data: dict(scores) for data, scores in model.best_score.items()}
    if feature_importance:
        leave_out_importance("log_summary(model, feature_importance=False)")


class _Callback:
    """What LightGBM calls after each iteration."""

    def __init__(self, *, log_params: bool, define_metric: bool) -> None:
        self._run = SESSION.active("integration.lightgbm.wandb_callback()")
        self._log_params = log_params
        self._define_metric = define_metric

    def __call__(self, env: Any) -> None:
        values = list(_values(env.evaluation_result_list or ()))
        if env.iteration == env.begin_iteration:
            self._begin(env.params, values)
        self._run.log({**{name: value for name, value, _ in values}, "iteration": env.iteration})

    def _begin(self, params: dict[str, Any], values: list[tuple[str, float, bool]]) -> None:
        if self._log_params:
            self._run.config.update(params, allow_val_change=True)
        if self._define_metric:
            for name, _, rises in values:
                self._run.define_metric(name, summary="max" if rises else "min")


def _values(results: Sequence[Any]) -> Iterator[tuple[str, float, bool]]:
    """Yield name, value and whether it is to rise; of a cross-validation, mean and deviation of each metric."""
    for data, metric, value, rises, *deviation in results:
        # An older LightGBM calls all data of a cross-validation cv_agg, and has its name in that of the metric.
        name = metric.replace(" ", "_") if data == "cv_agg" else f"{data}_{metric}"
        if deviation:
            yield f"{name}-mean", float(value), rises
            yield f"{name}-stdv", float(deviation[0]), False
        else:
            yield name, float(value), rises
