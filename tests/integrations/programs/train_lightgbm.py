"""LightGBM with W&B's callback."""

import lightgbm as lgb
import numpy as np
import wandb
from wandb.integration.lightgbm import log_summary, wandb_callback


def main() -> None:
    """Train five rounds."""
    random = np.random.default_rng(0)
    data = random.normal(size=(200, 4))
    target = (data[:, 0] + 0.3 * random.normal(size=200) > 0).astype(int)
    train = lgb.Dataset(data[:150], target[:150])
    valid = train.create_valid(data[150:], target[150:])
    wandb.init()
    model = lgb.train(
        {"objective": "binary", "metric": ["auc", "binary_logloss"], "num_leaves": 4, "verbose": -1, "num_threads": 1},
        train,
        num_boost_round=5,
        valid_sets=[train, valid],
        callbacks=[wandb_callback(), lgb.early_stopping(5, verbose=False)],
    )
    log_summary(model, save_model_checkpoint=True)
    wandb.finish()


if __name__ == "__main__":
    main()
