"""Series of metrics: which rows they have, and how they are collected from blocks and outlines."""
