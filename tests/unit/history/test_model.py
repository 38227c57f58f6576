"""Which rows are late."""

from __future__ import annotations

import numpy as np

from runstream_consumers.history.model import NO_STEP, BlockSteps, WriterSteps, late_rows, measure
from tests.integration.runtime.events import block, run_in, writer


def test_a_row_below_the_greatest_step_before_it_is_late() -> None:
    """Equal steps are not below; the greatest step counts on from earlier blocks."""
    assert late_rows(np.array([1, 3, 2, 3, 5, 4]), NO_STEP).tolist() == [False, False, True, False, False, True]
    assert late_rows(np.array([1, 3, 2]), 3).tolist() == [True, False, True]


def test_a_negative_step_is_late() -> None:
    """Writers count from 0, so that a step below it is below the greatest, also in a first row."""
    assert late_rows(np.array([-1, 0, -1]), NO_STEP).tolist() == [True, False, True]
    first, _ = measure(block(run_in(0), writer(1), 0, 2, steps=[-1, 0]), WriterSteps())
    assert first == BlockSteps(-1, 0, 1)


def test_blocks_add_up_to_what_a_writer_has_logged() -> None:
    """Rows, late rows, the greatest step and the widest block are carried on."""
    first, after = measure(block(run_in(0), writer(1), 0, 3, steps=[0, 10, 4]), WriterSteps())
    assert (first, after) == (BlockSteps(0, 10, 1), WriterSteps(greatest=10, widest=10, rows=3, late=1, first_seq=0))
    second, after = measure(block(run_in(0), writer(1), 3, 2, steps=[10, 11]), after)
    assert (second, after) == (BlockSteps(10, 11, 0), WriterSteps(greatest=11, widest=10, rows=5, late=1, first_seq=0))
