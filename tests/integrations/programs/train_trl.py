"""TRL's supervised fine-tuning of a tiny model."""

from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

WORDS = ["[PAD]", "[EOS]", "[UNK]", "one", "two", "three"]


def main() -> None:
    """Train four steps."""
    words = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]")
    config = GPT2Config(vocab_size=len(WORDS), n_positions=16, n_embd=8, n_layer=1, n_head=1, eos_token_id=1)
    trainer = SFTTrainer(
        model=GPT2LMHeadModel(config),
        args=SFTConfig("out", report_to="wandb", max_steps=4, logging_steps=2, max_length=8, use_cpu=True, bf16=False),
        train_dataset=Dataset.from_dict({"text": ["one two three", "three two one"] * 8}),
        processing_class=tokenizer,
    )
    trainer.train()


if __name__ == "__main__":
    main()
