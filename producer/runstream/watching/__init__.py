"""Watching PyTorch models: hooks that log histograms of gradients and parameters. This package never imports torch."""

from runstream.watching.watcher import ModelWatching as ModelWatching
