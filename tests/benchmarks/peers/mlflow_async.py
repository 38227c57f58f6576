"""MLflow, SQLite, asynchronous: a queue and a thread that commits transactions."""

import sys

import mlflow  # type: ignore[import-not-found]
from timed import time_calls  # type: ignore[import-not-found]

mlflow.set_tracking_uri(f"sqlite:///{sys.argv[1]}/mlflow.db")
mlflow.set_experiment("bench")
with mlflow.start_run():
    time_calls(lambda values, step: mlflow.log_metrics(values, step=step, synchronous=False), int(sys.argv[2]))
