"""A model of Hugging Face that one process logs with log_model(), and another one uses."""

import sys

import torch
import wandb
from transformers import BertConfig, BertForSequenceClassification


def predictions(model: BertForSequenceClassification) -> list[float]:
    """Return the logits of a fixed input."""
    with torch.no_grad():
        return [float(value) for value in model.eval()(torch.arange(8).reshape(1, 8)).logits[0]]


def main(name: str) -> None:
    """Log a model with random weights, or use the one with a name; store what it predicts in the summary."""
    with wandb.init() as run:
        if name == "log":
            sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
            model = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=16, **sizes))
            model.save_pretrained("saved")
            run.log_model("saved", name=f"bert-{run.id}")
        else:
            model = BertForSequenceClassification.from_pretrained(run.use_model(name))
        run.summary["predictions"] = predictions(model)


if __name__ == "__main__":
    main(sys.argv[1])
