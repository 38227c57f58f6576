"""Output of text: terminals, notebooks, formatting, sparklines."""
