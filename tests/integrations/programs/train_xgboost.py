"""XGBoost with W&B's callback."""

import numpy as np
import wandb
import xgboost as xgb
from wandb.integration.xgboost import WandbCallback


def main() -> None:
    """Train five rounds."""
    random = np.random.default_rng(0)
    data = random.normal(size=(200, 4))
    target = (data[:, 0] + 0.3 * random.normal(size=200) > 0).astype(int)
    train, valid = xgb.DMatrix(data[:150], target[:150]), xgb.DMatrix(data[150:], target[150:])
    wandb.init()
    xgb.train(
        {"objective": "binary:logistic", "eval_metric": ["auc", "error@0.3", "logloss"], "max_depth": 2, "nthread": 1},
        train,
        num_boost_round=5,
        evals=[(train, "train"), (valid, "valid")],
        callbacks=[WandbCallback(log_model=True)],
        early_stopping_rounds=5,
        verbose_eval=False,
    )
    wandb.finish()


if __name__ == "__main__":
    main()
