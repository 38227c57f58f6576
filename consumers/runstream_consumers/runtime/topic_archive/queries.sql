-- name: starts
-- The first archived offset of each partition number of topics.
select topic, partition, min(first) as first from control.topic_chunk
where topic = any($1::text[]) and partition = any($2::integer[]) group by topic, partition;

-- name: chunk_at
-- The first chunk with messages at or after an offset.
select * from control.topic_chunk where topic = $1 and partition = $2 and stop > $3 order by first limit 1;

-- name: chunk_since
-- The first chunk with messages appended at or after a time.
select * from control.topic_chunk where topic = $1 and partition = $2 and last_time >= $3 order by first limit 1;

-- name: positions
select topic, partition, next from control.topic_archive where topic = any($1::text[]) order by topic, partition;

-- name: make_position
insert into control.topic_archive (topic, partition, next) values ($1, $2, $3) on conflict do nothing;

-- name: move_position
update control.topic_archive set next = $4 where topic = $1 and partition = $2 and next = $3;

-- name: add_chunk
insert into control.topic_chunk
    (topic, partition, first, stop, key, size, sha256, messages, first_time, last_time, runs)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: replace_chunk
update control.topic_chunk set key = $3, size = $4, sha256 = $5, runs = $6 where key = $1 and sha256 = $2;

-- name: chunks_between
select * from control.topic_chunk where topic = $1 and partition = $2 and stop > $3 and first < $4 order by first;

-- name: chunks_of_runs
select * from control.topic_chunk where topic = any($1::text[]) and runs && $2::uuid[] order by topic, partition, first;

-- name: all_chunks
select * from control.topic_chunk where topic = any($1::text[]) order by topic, partition, first;

-- name: announce_object
insert into control.topic_object (key) values ($1) on conflict (key) do update set since = now();

-- name: settle_object
delete from control.topic_object where key = $1;

-- name: old_objects
select topic_object.key, topic_chunk.key is not null as used
from control.topic_object left join control.topic_chunk using (key)
where since < now() - make_interval(secs => $1) order by since limit 1000 for update of topic_object;

-- name: settle_objects
delete from control.topic_object where key = any($1::text[]);
