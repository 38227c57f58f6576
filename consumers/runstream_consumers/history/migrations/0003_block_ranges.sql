-- Blocks that span more than 100 steps: by their last step, for reading from the end, and by the power of two of their
-- width, for finding those that reach a step: they begin at most that far before it. Narrower blocks are found through
-- block_step, so that runs with small blocks do not need more disk space.
create index block_wide_end on block (run, stream, max_step) where max_step::numeric - min_step::numeric > 100;
create index block_wide on block (
    run, stream, (ceil(log(2, greatest(max_step::numeric - min_step::numeric, 1)))::int), min_step
) where max_step::numeric - min_step::numeric > 100;
