"""MLflow: the metric history of its client, and the sampled histories that its pages request, from the store."""

from __future__ import annotations

import sys

import mlflow  # type: ignore[import-not-found]
from mlflow.entities import Metric  # type: ignore[import-not-found]
from reads import KEYS, POINTS, report, row  # type: ignore[import-not-found]

uri, runs, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()
experiment = client.create_experiment("bench")
ids = [client.create_run(experiment).info.run_id for _ in range(runs)]
for number, run_id in enumerate(ids):
    for start in range(0, rows, 500):
        steps = range(start, min(start + 500, rows))
        client.log_batch(
            run_id,
            metrics=[
                Metric(key, value, 1000 * step, step) for step in steps for key, value in row(number, step).items()
            ],
        )
store = client._tracking_client.store  # noqa: SLF001 - what the server calls


def sampled(of: list[str]) -> int:
    """Return how many points of the first metric of runs were read."""
    return sum(len(store.get_metric_history_bulk_interval([one], KEYS[0], POINTS, None, None)) for one in of)


report(
    {
        "scan": lambda: len([(one.step, one.value) for one in client.get_metric_history(ids[0], KEYS[0])]),
        "chart": lambda: sampled(ids[:1]),
        "curves": lambda: sampled(ids),
    }
)
