"""The curves of a binary classifier, as scikit-learn computes them."""

from __future__ import annotations

import numpy as np


def precision_and_recall(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall at each threshold, the lowest first, and 1 and 0 at the end."""
    true_positives, positives = _counts(truth, scores)
    precision = true_positives / positives
    total = true_positives[-1]
    recall = true_positives / total if total else np.ones_like(precision)
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def roc(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rate at each threshold, the highest first, without points within a straight."""
    true_positives, positives = _counts(truth, scores)
    false_positives = positives - true_positives
    if len(positives) > 2:  # noqa: PLR2004 - a straight has three points
        bends = (np.diff(false_positives, 2) != 0) | (np.diff(true_positives, 2) != 0)
        kept = np.concatenate(([True], bends, [True]))
        true_positives, false_positives = true_positives[kept], false_positives[kept]
    return _rate(false_positives), _rate(true_positives)


def _rate(counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0: there are no such samples
        rates: np.ndarray = np.append(0, counts) / counts[-1]
        return rates


def _counts(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many samples have at least the score of each threshold, the highest first: true ones, and all."""
    order = np.argsort(scores, kind="stable")[::-1]
    scores, truth = scores[order], truth[order]
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    return np.cumsum(truth)[ends], ends + 1
