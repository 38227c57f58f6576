-- name: make_offsets
insert into runtime.sink_offset (sink, partition, topic, next)
select $1, $2, topic, next from unnest($3::text[], $4::bigint[]) as made (topic, next)
on conflict do nothing;

-- name: lock_offsets
select topic, next, redrives from runtime.sink_offset
where sink = $1 and partition = $2 and topic = any($3::text[])
order by topic for update;

-- name: move_offsets
update runtime.sink_offset set next = moved.next, moved = now()
from unnest($3::text[], $4::bigint[]) as moved (topic, next)
where sink = $1 and partition = $2 and sink_offset.topic = moved.topic;

-- name: count_redrive
update runtime.sink_offset set redrives = redrives + 1 where sink = $1 and partition = $2 and topic = $3;

-- name: load_progress
select progress.run, progress.writer, progress.topic, progress.next, progress.holes
from unnest($2::uuid[], $3::uuid[], $4::smallint[]) as wanted (run, writer, topic)
join runtime.writer_progress as progress
    on progress.run = wanted.run and progress.writer = wanted.writer and progress.topic = wanted.topic
    and progress.sink = $1;

-- name: save_progress
insert into runtime.writer_progress as progress (sink, run, writer, topic, next, holes)
select $1, run, writer, topic, next, holes::int8multirange
from unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::bigint[], $6::text[]) as saved (run, writer, topic, next, holes)
on conflict (run, writer, topic, sink) do update set next = excluded.next, holes = excluded.holes;

-- name: load_lost
select progress.run, progress.writer, progress.topic, progress.lost
from unnest($2::uuid[], $3::uuid[], $4::smallint[]) as wanted (run, writer, topic)
join runtime.writer_progress as progress
    on progress.run = wanted.run and progress.writer = wanted.writer and progress.topic = wanted.topic
    and progress.sink = $1
where progress.lost is not null;

-- name: save_lost
update runtime.writer_progress as progress set lost = saved.lost::jsonb
from unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::text[]) as saved (run, writer, topic, lost)
where progress.run = saved.run and progress.writer = saved.writer and progress.topic = saved.topic
    and progress.sink = $1;

-- name: runs_with_losses
select distinct run from runtime.writer_progress where run = any($1::uuid[]) and lost is not null;

-- name: quarantine_of_run
select sink, topic, reason, count(*)::int as messages from runtime.quarantine where run = $1 and redriven is null
group by sink, topic, reason order by messages desc, sink, topic, reason limit 20;

-- name: progress_of_runs
select run, sink, writer, topic, next, holes, lost from runtime.writer_progress where run = any($1::uuid[])
order by sink, writer, topic;

-- name: add_quarantine
insert into runtime.quarantine (sink, topic, partition, "offset", append_time, stage, reason, raw, run)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (sink, topic, partition, "offset")
do update set stage = excluded.stage, reason = excluded.reason, run = excluded.run, redriven = null;

-- name: list_quarantine
select id, sink, topic, partition, "offset", append_time, stage, reason, raw from runtime.quarantine
where sink = $1 and redriven is null and id > $2 order by id limit $3;

-- name: lock_quarantine
select id, sink, topic, partition, "offset", append_time, stage, reason, raw from runtime.quarantine
where id = $1 and redriven is null for update;

-- name: close_quarantine
update runtime.quarantine set redriven = now() where id = $1;

-- name: explain_quarantine
update runtime.quarantine set reason = $2 where id = $1;

-- name: add_loss
insert into runtime.loss (sink, topic, partition, first, stop, reason) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing;

-- name: lock_sink
select pg_advisory_xact_lock(hashtextextended('runstream sink ' || $1, 0));

-- name: sink_exists
select exists (select from runtime.sink_offset where sink = $1);

-- name: changed_tables
-- What the current transaction has changed in a consumer's tables.
select schemaname || '.' || relname as name, n_tup_ins as inserted, n_tup_upd as updated, n_tup_del as deleted
from pg_stat_xact_user_tables
where schemaname = $1 and n_tup_ins + n_tup_upd + n_tup_del > 0;

-- name: new_quarantine
-- What the current transaction has quarantined.
select topic, partition, "offset", reason from runtime.quarantine
where sink = $1 and quarantined = now() order by topic, partition, "offset";

-- name: load_failing
-- How many seconds ago messages of runs failed.
select run, extract(epoch from clock_timestamp() - failed)::float8 as age from runtime.failing_run where sink = $1;

-- name: save_failing
insert into runtime.failing_run (sink, run, error) select $1, run, error from unnest($2::uuid[], $3::text[]) as failing (run, error)
on conflict (sink, run) do update set error = excluded.error, failed = excluded.failed;

-- name: forget_failing
delete from runtime.failing_run where sink = $1 and failed < clock_timestamp() - make_interval(secs => $2);

-- name: lock_all_offsets
select from runtime.sink_offset where sink = $1 order by partition, topic for update;

-- name: reset_offsets
-- In place, so that a process that waits for the rows finds them changed; the counter changes even if no offset does.
update runtime.sink_offset set next = reset.next, redrives = redrives + 1, moved = now()
from unnest($3::text[], $4::bigint[]) as reset (topic, next)
where sink = $1 and partition = $2 and sink_offset.topic = reset.topic;

-- name: forget_migrations
delete from runtime.migration where schema = $1;

-- name: tables_of_schema
select schemaname || '.' || tablename as name from pg_tables where schemaname = $1 order by name;

-- name: tables_about_sinks
-- The tables of the runtime from which a rebuild deletes the rows of a sink.
select table_name as name from information_schema.columns
where table_schema = 'runtime' and column_name = 'sink' and table_name not in ('sink_offset', 'published', 'outbox');

-- name: new_messages
-- What the current transaction has added to the outbox.
select run, key, message from runtime.outbox where sink = $1 and added = now() order by id;

-- name: save_delay
insert into runtime.delay (sink, partition, error) values ($1, $2, $3)
on conflict (sink, partition) do update set error = excluded.error, seen = excluded.seen;

-- name: forget_delay
delete from runtime.delay where sink = $1 and partition = $2;

-- name: load_deferred
select run, count(*) as messages, sum(octet_length(raw))::bigint as bytes from runtime.deferred
where sink = $1 and partition = $2 and topic = any($3::text[]) group by run order by min(id);

-- name: take_deferred
-- The first messages of a run up to a size; at least one.
select id, topic, "offset", append_time, raw from (
    select *, sum(octet_length(raw)) over (order by id) - octet_length(raw) as before from (
        select * from runtime.deferred where sink = $1 and partition = $2 and topic = any($3::text[]) and run = $4
        order by id limit $5
    ) as first
) as counted
where before < $6 order by id;

-- name: settle_deferred
delete from runtime.deferred where sink = $1 and partition = $2 and run = $3 and id = any($4::bigint[]);

-- name: count_settled
-- Offsets do not move: by this counter another process detects that its memory is stale.
update runtime.sink_offset set redrives = redrives + 1, moved = now() where sink = $1 and partition = $2;

-- name: load_deleted_runs
select run from runtime.deleted_run where sink = $1 and partition = $2;

-- name: add_deleted_runs
insert into runtime.deleted_run (run, sink, partition, deleted)
select run, $1, $2, deleted from unnest($3::uuid[], $4::bigint[]) as given (run, deleted)
on conflict do nothing;

-- name: count_dropped
update runtime.deleted_run set dropped = deleted_run.dropped + given.dropped
from unnest($2::uuid[], $3::bigint[]) as given (run, dropped)
where sink = $1 and deleted_run.run = given.run;

-- name: tables_of_runs
-- The tables of a consumer that have the keys of runs.
select quote_ident(nspname) || '.' || quote_ident(relname) as name
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
join pg_attribute on attrelid = pg_class.oid
where nspname = $1 and relkind in ('r', 'p') and not relispartition
    and attname = 'run' and atttypid = 'uuid'::regtype and not attisdropped
order by relname;

-- name: delete_progress
delete from runtime.writer_progress where sink = $1 and run = any($2::uuid[]);

-- name: delete_quarantine
delete from runtime.quarantine where sink = $1 and run = any($2::uuid[]);

-- name: is_deleted
select exists (select from runtime.deleted_run where run = $1);
