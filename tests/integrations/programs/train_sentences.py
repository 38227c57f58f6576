"""Sentence Transformers' trainer of a tiny model."""

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import CosineSimilarityLoss
from sentence_transformers.models import BoW, Dense


def main() -> None:
    """Train four steps."""
    words = ["one", "two", "three", "four"]
    model = SentenceTransformer(modules=[BoW(vocab=words), Dense(in_features=len(words), out_features=2)], device="cpu")
    data = {"sentence1": ["one two", "three"] * 8, "sentence2": ["two one", "four"] * 8, "score": [1.0, 0.0] * 8}
    arguments = SentenceTransformerTrainingArguments(
        "out", report_to="wandb", max_steps=4, logging_steps=2, use_cpu=True, save_strategy="no"
    )
    SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(data), loss=CosineSimilarityLoss(model)
    ).train()


if __name__ == "__main__":
    main()
