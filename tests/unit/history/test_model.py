"""Which rows are late."""

from __future__ import annotations

import numpy as np

from runstream_consumers.history.model import NO_STEP, BlockSteps, WriterSteps, late_rows, measure
from tests.integration.runtime.events import block, run_in, writer


def test_a_row_below_the_greatest_step_before_it_is_late() -> None:
    """Equal steps are not below; steps of earlier blocks are included."""
    assert late_rows(np.array([1, 3, 2, 3, 5, 4]), NO_STEP).tolist() == [False, False, True, False, False, True]
    assert late_rows(np.array([1, 3, 2]), 3).tolist() == [True, False, True]


def test_a_negative_step_is_late() -> None:
    """Steps start at 0, so a negative step is late even in the first row."""
    assert late_rows(np.array([-1, 0, -1]), NO_STEP).tolist() == [True, False, True]
    first, _ = measure(block(run_in(0), writer(1), 0, 2, steps=[-1, 0]), WriterSteps())
    assert first == BlockSteps(-1, 0, 1)


def test_blocks_add_up_to_the_totals_of_a_writer() -> None:
    """Rows, late rows, the greatest step and the widest block are accumulated."""
    first, after = measure(block(run_in(0), writer(1), 0, 3, steps=[0, 10, 4]), WriterSteps())
    assert (first, after) == (BlockSteps(0, 10, 1), WriterSteps(greatest=10, widest=10, rows=3, late=1, first_seq=0))
    second, after = measure(block(run_in(0), writer(1), 3, 2, steps=[10, 11]), after)
    assert (second, after) == (BlockSteps(10, 11, 0), WriterSteps(greatest=11, widest=10, rows=5, late=1, first_seq=0))
