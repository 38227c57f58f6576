"""The summary algebra: folds of rows, assignments and definitions, and the projection that is displayed. Pure."""
