-- When the run ended by the clock of its processes, and how far that clock is ahead of the broker's; null if not known.
alter table run add column ended bigint, add column clock_offset bigint;
