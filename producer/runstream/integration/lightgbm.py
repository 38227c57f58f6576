"""Logs the training of LightGBM models: ``lightgbm.train(..., callbacks=[wandb_callback()])``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm

import runstream
from runstream.integration.active_run import active_run, log_importance, log_model_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def wandb_callback(
    log_params: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    define_metric: bool = True,  # noqa: FBT001, FBT002
) -> Callable[[Any], None]:
    """Return a callback that logs the metrics of each iteration.

    Args:
        log_params: Add the parameters of the training to the config.
        define_metric: Show the best value of each metric in the summary, min or max, instead of the last.

    Raises:
        Error: No run is active.
    """
    return _Callback(log_params=log_params, define_metric=define_metric)


def log_summary(
    model: lightgbm.Booster,
    feature_importance: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    save_model_checkpoint: bool = False,  # noqa: FBT001, FBT002
) -> None:
    """Store the best iteration and the best scores of a model in the summary.

    Args:
        model: The trained model.
        feature_importance: Log a chart of feature importance.
        save_model_checkpoint: Log the model as the artifact ``model_RUN_ID.txt``.

    Raises:
        Error: No run is active; as UsageError, the model is not a ``lightgbm.Booster``.
    """
    run = active_run("lightgbm.log_summary()")
    if not isinstance(model, lightgbm.Booster):
        raise runstream.UsageError(
            f"Invalid model {model!r:.60}: log_summary() expects a lightgbm.Booster, for example model.booster_"
        )
    run.summary["best_iteration"] = model.best_iteration
    run.summary["best_score"] = {data: dict(scores) for data, scores in model.best_score.items()}
    if feature_importance:
        log_importance(run, zip(model.feature_name(), model.feature_importance().tolist(), strict=True))
    if save_model_checkpoint:
        log_model_file(run, f"model_{run.id}.txt", model.save_model)


class _Callback:
    """Called by LightGBM after each iteration."""

    def __init__(self, *, log_params: bool, define_metric: bool) -> None:
        self._run = active_run("lightgbm.wandb_callback()")
        self._log_params = log_params
        self._define_metric = define_metric

    def __call__(self, env: Any) -> None:
        values = list(_values(env.evaluation_result_list or ()))
        if env.iteration == env.begin_iteration:
            self._define(env.params, values)
        self._run.log({**{name: value for name, value, _ in values}, "iteration": env.iteration})

    def _define(self, params: dict[str, Any], values: list[tuple[str, float, bool]]) -> None:
        if self._log_params:
            self._run.config.update(params, allow_val_change=True)
        if self._define_metric:
            for name, _, maximized in values:
                self._run.define_metric(name, summary="max" if maximized else "min")


def _values(results: Sequence[Any]) -> Iterator[tuple[str, float, bool]]:
    """Yield the name, the value and whether higher is better; for a cross-validation, of mean and deviation."""
    for data, metric, value, maximized, *deviation in results:
        # In a cross-validation, older versions call all data cv_agg and include its name in that of the metric.
        name = metric.replace(" ", "_") if data == "cv_agg" else f"{data}_{metric}"
        if deviation:
            yield f"{name}-mean", float(value), maximized
            yield f"{name}-stdv", float(deviation[0]), False
        else:
            yield name, float(value), maximized
