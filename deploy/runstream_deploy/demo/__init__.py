"""The demo: a small network trained on handwritten digits, in four concurrent runs with different ends."""
