-- The records of a writer that markers of kind "dropped" account for, a JSON list of [reason, count, [[first, stop], …]];
-- null if there are none. They are part of the progress: replaced, rebuilt and deleted with it.
alter table writer_progress add column lost jsonb;

create index writer_progress_lost on writer_progress (run) where lost is not null;
