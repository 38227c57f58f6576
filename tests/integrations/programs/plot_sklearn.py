"""The plots of scikit-learn models."""

import numpy as np
import wandb
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Plot a classifier and log its score."""
    with wandb.init() as run:
        data = np.random.default_rng(0).normal(size=(60, 3))
        labels = (data[:, 0] > 0).astype(int)
        model = LogisticRegression().fit(data, labels)
        wandb.sklearn.plot_classifier(model, data, data, labels, labels, model.predict(data), None, ["no", "yes"])
        wandb.sklearn.plot_roc(labels, model.predict_proba(data))
        run.log({"score": model.score(data, labels)})


if __name__ == "__main__":
    main()
