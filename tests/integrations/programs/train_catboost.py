"""CatBoost with W&B's callback."""

import numpy as np
import wandb
from catboost import CatBoostClassifier
from wandb.integration.catboost import WandbCallback, log_summary


def main() -> None:
    """Train ten iterations."""
    with wandb.init():
        data = np.random.default_rng(0).normal(size=(60, 3))
        labels = (data[:, 0] > 0).astype(int)
        model = CatBoostClassifier(iterations=10, verbose=False, allow_writing_files=False, thread_count=1)
        model.fit(data[:40], labels[:40], eval_set=(data[40:], labels[40:]), callbacks=[WandbCallback()])
        log_summary(model, save_model_checkpoint=True)


if __name__ == "__main__":
    main()
