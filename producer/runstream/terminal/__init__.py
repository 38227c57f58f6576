"""Text output: the terminal, notebooks, formatting, sparklines."""
