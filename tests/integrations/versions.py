"""Print the versions of the tested libraries as a table for docs/integrations.md."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "torch",
    "transformers",
    "accelerate",
    "lightning",
    "keras",
    "stable_baselines3",
    "pytorch-ignite",
    "xgboost-cpu",
    "lightgbm",
    "optuna",
    "optuna-integration",
    "tensorboard",
    "catboost",
    "ray",
    "spacy",
    "spacy-loggers",
    "langchain",
    "langchain-community",
    "scikit-learn",
    "fastai",
    "skorch",
    "trl",
    "sentence-transformers",
    "wandb",
)


def main() -> None:
    """Print the table."""
    sys.stdout.write("| library | version |\n|---|---|\n")
    for library in LIBRARIES:
        sys.stdout.write(f"| {library} | {_version(library)} |\n")


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
