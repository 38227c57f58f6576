-- name: load
select file.* from unnest($1::uuid[], $2::text[]) as wanted (run, path)
join file on file.run = wanted.run and file.path = wanted.path

-- name: insert
-- Files that have a row already are left out.
insert into file
select * from unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[], $8::bigint[], $9::bigint[],
    $10::text[], $11::bigint[], $12::text[], $13::uuid[], $14::bigint[], $15::bigint[], $16::text[]
)
on conflict (run, path) do nothing

-- name: update
update file set
    (stored, size, sha256, media_type, announced, lost, reason, deleted, policy, writer, append_time, time, principal)
    = (known.stored, known.size, known.sha256, known.media_type, known.announced, known.lost, known.reason,
       known.deleted, known.policy, known.writer, known.append_time, known.time, known.principal)
from unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[], $8::bigint[], $9::bigint[],
    $10::text[], $11::bigint[], $12::text[], $13::uuid[], $14::bigint[], $15::bigint[], $16::text[]
) as known (
    run, path, entity, stored, size, sha256, media_type, announced, lost, reason, deleted, policy, writer, append_time,
    time, principal
)
where file.run = known.run and file.path = known.path

-- name: of_run
-- By name; without those that were deleted and have nothing since.
select * from files.file
where run = $1 and path > $2 and greatest(stored, announced, lost) > deleted
    and ($3::text[] is null or path = any($3)) and ($4::text is null or path like $4)
order by path limit $5

-- name: one
select * from files.file where run = $1 and path = $2
