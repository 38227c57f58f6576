"""``spacy train`` with the logger of spacy-loggers."""

import sys

import spacy
import spacy.util
from confection import Config
from spacy.cli.train import train
from spacy.tokens import DocBin

CONFIG = """
[paths]
train = "texts.spacy"
dev = "texts.spacy"
[nlp]
lang = "en"
pipeline = ["textcat"]
[components]
[components.textcat]
factory = "textcat"
[components.textcat.model]
@architectures = "spacy.TextCatBOW.v3"
exclusive_classes = true
ngram_size = 1
length = 1024
no_output_layer = false
[corpora]
[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}
[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}
[training]
max_steps = 20
eval_frequency = 5
[training.logger]
@loggers = "spacy.WandbLogger.v5"
project_name = "tests"
remove_config_values = []
"""


def main() -> None:
    """Train a text classifier."""
    language, texts = spacy.blank("en"), DocBin()
    for number in range(20):
        doc = language("good" if number % 2 else "bad")
        doc.cats = {"yes": float(number % 2), "no": float(1 - number % 2)}
        texts.add(doc)
    texts.to_disk("texts.spacy")
    filled = spacy.util.load_model_from_config(Config().from_str(CONFIG, interpolate=False), auto_fill=True)
    filled.config.to_disk("config.cfg")
    train("config.cfg", sys.argv[1])


if __name__ == "__main__":
    main()
