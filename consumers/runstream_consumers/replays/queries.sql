-- name: known_replay
select version from runtime.replay where consumer = $1;

-- name: add_replay
insert into runtime.replay (consumer, version) values ($1, $2)
on conflict (consumer) do update set version = excluded.version, began = now();

-- name: remove_replay
delete from runtime.replay where consumer = $1;

-- name: positions
select topic, partition, next from runtime.sink_offset where sink = $1 order by partition, topic;

-- name: sink_tables
-- The tables of the runtime with rows of sinks, whose new rows take the place of the old ones.
select table_name as name from information_schema.columns
where table_schema = 'runtime' and column_name = 'sink' and table_name not in ('sink_offset', 'published', 'outbox');

-- name: move_positions
-- In place, so that a process that waits for the rows finds them changed; the counter changes even if no offset does.
update runtime.sink_offset as old set next = new.next, redrives = old.redrives + 1, moved = now()
from runtime.sink_offset as new
where old.sink = $1 and new.sink = $2 and old.partition = new.partition and old.topic = new.topic;

-- name: add_positions
insert into runtime.sink_offset (sink, topic, partition, next)
select $1, topic, partition, next from runtime.sink_offset where sink = $2 on conflict do nothing;

-- name: remove_positions
-- Those of topics that are no longer read.
delete from runtime.sink_offset as old where sink = $1 and not exists (
    select from runtime.sink_offset as new
    where new.sink = $2 and new.partition = old.partition and new.topic = old.topic
);

-- name: keep_unsent
-- What only the replay has requested is recorded as sent: a replay sends nothing, and neither does what follows it.
insert into runtime.outbox (sink, partition, run, key, message, sent, error)
select $1, partition, run, key, message, now(), 'requested by a replay, not sent' from runtime.outbox where sink = $2
on conflict (sink, run, key) do nothing;
