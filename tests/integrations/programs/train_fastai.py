"""A tabular learner of fastai with ``WandbCallback``, as in fastai's documentation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import wandb
from fastai.callback.wandb import WandbCallback
from fastai.tabular.all import Categorify, CategoryBlock, Normalize, TabularDataLoaders, accuracy, tabular_learner

wandb.init()
draw = np.random.default_rng(1)
frame = pd.DataFrame({"x": draw.normal(size=160), "kind": draw.choice(["a", "b"], size=160)})
frame["label"] = np.where((frame["x"] > 0) ^ (frame["kind"] == "a"), "yes", "no")
data = TabularDataLoaders.from_df(
    frame,
    procs=[Categorify, Normalize],
    cat_names=["kind"],
    cont_names=["x"],
    y_names="label",
    y_block=CategoryBlock(),
    valid_idx=list(range(32)),
    bs=32,
)
learner = tabular_learner(data, layers=[8], metrics=accuracy, cbs=WandbCallback(log_preds=False, log_model=False))
learner.fit_one_cycle(2)
wandb.finish()
