"""The demo: a small network trained on handwritten digits, in four runs at once that end in four ways."""
