"""Hugging Face's Trainer, whose own callback imports wandb."""

import os
import sys

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


def main(steps: int) -> None:
    """Train the given number of steps."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=50,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
        )
    )
    data = [{"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(index % 2)} for index in range(32)]
    arguments = TrainingArguments(
        output_dir="out",
        report_to="wandb",
        run_name="tiny-bert",
        max_steps=steps,
        logging_steps=2,
        eval_strategy="steps",
        eval_steps=3,
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        save_strategy="steps" if os.environ.get("WANDB_LOG_MODEL") == "checkpoint" else "no",
        save_steps=4,
        disable_tqdm=True,
        use_cpu=True,
    )
    # The Trainer never finishes the run: the end of the process does.
    Trainer(model=model, args=arguments, train_dataset=data, eval_dataset=data[:8]).train()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 6)
