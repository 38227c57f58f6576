-- name: add
insert into runtime.outbox (sink, partition, run, key, message)
select $1, $2, run, key, message from unnest($3::text[], $4::text[], $5::text[]) as added (run, key, message)
on conflict (sink, run, key) do nothing;

-- name: claim
-- The next message, which no other process takes until the lease ends.
update runtime.outbox set attempts = attempts + 1, due = clock_timestamp() + make_interval(secs => $3)
where id = (
    select id from runtime.outbox
    where sink = $1 and partition = $2 and sent is null and due <= clock_timestamp()
    order by due, id limit 1 for update skip locked
)
returning id, run, key, message, attempts;

-- name: mark_sent
update runtime.outbox set sent = clock_timestamp(), error = '' where id = $1;

-- name: postpone
update runtime.outbox set due = clock_timestamp() + make_interval(secs => $2), error = $3 where id = $1;
