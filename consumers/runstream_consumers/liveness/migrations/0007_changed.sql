-- When the state of the run changed last, microseconds since 1970, by the broker; null if it has not since this version.
alter table run add column changed bigint;

create index run_changed on run (changed);
